"""What an artifact consists of: paths, and what stands for the content of each.

The digest of a manifest is W&B's, so that the same content has the same digest there and here: the
MD5 of ``wandb-artifact-manifest-v1`` and of one line ``path:digest`` for each entry, by path. It
knows nothing of sizes, nor of where content is kept.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quark import jsonio
from quark.errors import DamagedFileError, SchemaValidationError

_HEADER = b"wandb-artifact-manifest-v1\n"
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One file of an artifact, or a reference to something that is kept elsewhere.

    ``digest`` is the MD5 of a file's content in base64; of a reference, whatever says that its
    content has changed, such as an ETag. A file has a ``sha256``, a reference has a ``ref``.
    """

    path: str
    digest: str
    size_bytes: int | None = None
    sha256: str | None = None
    ref: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the entry without its path, and without what it does not have."""
        found = {
            "digest": self.digest,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "ref": self.ref,
            "extra": dict(self.extra) or None,
        }
        return {name: value for name, value in found.items() if value is not None}


class Manifest:
    """The entries of an artifact by their paths.

    >>> entry = ManifestEntry(path="a.txt", digest="XUFAKrxLKna5cZ2REBfFkg==", sha256="2cf2")
    >>> Manifest({"a.txt": entry}).digest
    '541f289bb3c6ae786d51e7288e523543'
    """

    def __init__(self, entries: Mapping[str, ManifestEntry] | None = None) -> None:
        self.entries: dict[str, ManifestEntry] = dict(entries or {})

    @property
    def digest(self) -> str:
        """What tells the content of two artifacts apart, in hex."""
        digest = hashlib.md5(_HEADER, usedforsecurity=False)
        for path in sorted(self.entries):
            digest.update(f"{path}:{self.entries[path].digest}\n".encode())
        return digest.hexdigest()

    @property
    def size_bytes(self) -> int:
        """The size of all entries, references among them, as far as it is known."""
        return sum(entry.size_bytes or 0 for entry in self.entries.values())

    @property
    def payloads(self) -> frozenset[str]:
        """The SHA-256 of every file."""
        return frozenset(entry.sha256 for entry in self.entries.values() if entry.sha256)

    def to_json(self) -> bytes:
        """Return the manifest as it is kept."""
        contents = {path: self.entries[path].to_json() for path in sorted(self.entries)}
        return jsonio.dumps({"version": _VERSION, "contents": contents})

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Return the manifest that was kept as ``data``.

        Raises:
            DamagedFileError: It is no manifest.
        """
        try:
            document = jsonio.loads(data)
            if document["version"] != _VERSION:
                raise DamagedFileError(
                    f"A manifest of version {document['version']!r} cannot be read by this "
                    f"version of Quark, which reads {_VERSION}; use a newer one."
                )
            contents = document["contents"].items()
            return cls({path: ManifestEntry(path=path, **fields) for path, fields in contents})
        except (SchemaValidationError, KeyError, TypeError, AttributeError) as error:
            raise DamagedFileError(f"Not a manifest of an artifact: {error}") from error


def as_base64(hex_digest: str) -> str:
    """Return a digest as it stands in a manifest.

    >>> as_base64("5d41402abc4b2a76b9719d911017c592")
    'XUFAKrxLKna5cZ2REBfFkg=='
    """
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()
