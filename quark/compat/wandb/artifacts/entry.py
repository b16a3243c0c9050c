"""One entry of an artifact, as scripts see it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quark.catalog.manifest import ManifestEntry
from quark.compat.wandb.artifacts.rules import check_path

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.files import StoredFiles

#: How a reference to an entry of another artifact begins.
ARTIFACT_SCHEME = "wandb-artifact"


class ArtifactManifestEntry:
    """A file or a reference: ``path``, ``digest``, ``size`` in bytes, and ``ref`` of the latter."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        digest: str,
        ref: str | None = None,
        birth_artifact_id: str | None = None,
        size: int | None = None,
        extra: Mapping[str, Any] | None = None,
        local_path: str | os.PathLike[str] | None = None,
        skip_cache: bool | None = False,
        sha256: str | None = None,
    ) -> None:
        self.path = check_path(path)
        self.digest = digest
        self.ref = ref
        self.birth_artifact_id = birth_artifact_id
        self.local_path = os.fspath(local_path) if local_path else None
        if size is None and self.local_path:
            size = os.path.getsize(self.local_path)
        self.size = size
        self.extra = dict(extra or {})
        self.skip_cache = bool(skip_cache)
        self.sha256 = sha256
        self._parent: StoredFiles | None = None

    @classmethod
    def of(cls, entry: ManifestEntry, local_path: str | None = None) -> ArtifactManifestEntry:
        """Return an entry of the catalog as scripts see it."""
        return cls(
            path=entry.path,
            digest=entry.digest,
            ref=entry.ref,
            size=entry.size_bytes,
            extra=entry.extra,
            local_path=local_path,
            sha256=entry.sha256,
        )

    @property
    def name(self) -> str:
        """The path; W&B's old name of it."""
        return self.path

    def kept(self) -> ManifestEntry:
        """Return the entry as the catalog keeps it."""
        return ManifestEntry(
            path=self.path,
            digest=self.digest,
            size_bytes=self.size,
            sha256=self.sha256,
            ref=self.ref,
            extra=self.extra,
        )

    def parent_artifact(self) -> StoredFiles:
        """Return the artifact that the entry was got from.

        Raises:
            NotImplementedError: It was not got from one.
        """
        if self._parent is None:
            raise NotImplementedError(f"{self.path!r} was not got from a logged artifact.")
        return self._parent

    def download(
        self, root: str | None = None, skip_cache: bool | None = None, executor: Any = None
    ) -> str:
        """Write the file below ``root``, by default the artifact's folder; return where it is.

        Args:
            skip_cache: Accepted; there is no cache between.
            executor: Accepted; nothing is loaded in parallel.

        Raises:
            ValueError: A reference cannot be read, or is not what it was.
        """
        return self.parent_artifact()._write_entry(self, root)

    def ref_target(self) -> str:
        """Return what the reference leads to.

        Raises:
            ValueError: This is no reference.
        """
        if self.ref is None:
            raise ValueError(f"{self.path!r} is a file, not a reference.")
        return self.ref

    def ref_url(self) -> str:
        """Return the URL under which another artifact can refer to this entry."""
        parent = self.parent_artifact()
        if parent.id is None:
            raise ValueError(f"{self.path!r} can be referred to once its artifact was logged.")
        return f"{ARTIFACT_SCHEME}://{hex_id(parent.id)}/{self.path}"

    def to_json(self) -> dict[str, Any]:
        """Return what is set of the entry, as a dict."""
        return {name: value for name, value in self._fields().items() if value is not None}

    def _fields(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "digest": self.digest,
            "ref": self.ref,
            "birth_artifact_id": self.birth_artifact_id,
            "size": self.size,
            "extra": self.extra,
            "local_path": self.local_path,
            "skip_cache": self.skip_cache,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArtifactManifestEntry):
            return NotImplemented
        return self._fields() == other._fields()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = {
            name: value
            for name, value in self._fields().items()
            if value is not None and (name != "extra" or value)
        }
        return f"ArtifactManifestEntry({', '.join(f'{k}={v!r}' for k, v in fields.items())})"


def hex_id(id: str) -> str:
    """Return the id of an artifact as it stands in a URL."""
    import base64

    return base64.standard_b64decode(id).hex()


def id_of_hex(text: str) -> str:
    """Return the id of an artifact that stands as ``text`` in a URL.

    Raises:
        ValueError: It is none.
    """
    import base64

    return base64.standard_b64encode(bytes.fromhex(text)).decode()
