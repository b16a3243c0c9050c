"""Where an artifact's files lie, so that people can open them without Quark.

The payload rests in the blob store under its SHA-256, once, however many artifacts have it. Its
readable name in the run's folder is a hard link to that blob: it takes no space, and a copy of the
run's folder has the payloads in it. The price is that both names are one file, and an edit in place
would change every artifact with this content; so the file is made read-only, and ``load`` verifies
it. Where a file system has no hard links (or a blob has as many as it may), the path is the blob's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from quark import ids, jsonio
from quark.naming import MetricName

#: Where the parts of an artifact are, relative to the store's root (``<storage_dir>/.quark``).
#: ``{ab}`` and ``{cd}`` are the first and the second two digits of the SHA-256; ``{label}`` is
#: ``step<step>-`` or ``epoch<epoch>-`` where there is one, and eight characters that nobody else
#: has; ``{suffix}`` is ``.json``, ``.txt``, ``.bin``, or that of the file it came from. Parts of
#: a key are cut at 100 characters.
ARTIFACT_STORAGE_LAYOUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "blob": "blobs/{ab}/{cd}/{sha256}",
        "payload": "runs/{run_id}/artifacts/{artifact_type}/{artifact_key}-{label}{suffix}",
        "metadata": "runs/{run_id}/artifacts/{artifact_type}/{artifact_key}-{label}.meta.json",
    }
)

_MAX_SEGMENT_CHARACTERS = 100
_NO_LINKS = frozenset(
    {errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM, errno.EXDEV}
)
_WRITE_BITS = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class ArtifactPaths(NamedTuple):
    """Relative to the store's root; empty where there is no such file on this machine."""

    payload: str
    metadata: str


NO_PATHS = ArtifactPaths("", "")


def place_files(
    run_dir: Path,
    *,
    run_id: str,
    artifact_type: str,
    name: MetricName,
    sha256: str,
    suffix: str,
    description: Mapping[str, Any],
) -> ArtifactPaths:
    """Give the blob a readable name in the run's folder, and write its description beside it.

    Args:
        run_dir: The run's folder, ``<root>/runs/<run_id>``.
        suffix: Of the payload's name, with the dot.
        description: What is known of the artifact; ``step`` and ``epoch`` are put into the name.

    Raises:
        OSError: A file cannot be written.
    """
    root = run_dir.parent.parent
    words = {
        "run_id": run_id,
        "artifact_type": artifact_type[:_MAX_SEGMENT_CHARACTERS],
        "artifact_key": "/".join(part[:_MAX_SEGMENT_CHARACTERS] for part in name.key.split("/")),
        "label": _label(description),
        "suffix": suffix,
    }
    payload = ARTIFACT_STORAGE_LAYOUT["payload"].format_map(words)
    metadata = ARTIFACT_STORAGE_LAYOUT["metadata"].format_map(words)
    (root / payload).parent.mkdir(parents=True, exist_ok=True)
    if not _link(root / blob_path(sha256), root / payload):
        payload = blob_path(sha256)
    described = {
        **description,
        "payload_relative_path": payload,
        "metadata_relative_path": metadata,
    }
    _write(root / metadata, jsonio.dumps(described, indent=True) + b"\n")
    return ArtifactPaths(payload, metadata)


def blob_path(sha256: str) -> str:
    """Return where the blob of this digest rests in an embedded store.

    >>> blob_path("ab12" + 60 * "0")[:17]
    'blobs/ab/12/ab120'
    """
    words = {"ab": sha256[:2], "cd": sha256[2:4], "sha256": sha256}
    return ARTIFACT_STORAGE_LAYOUT["blob"].format_map(words)


def _label(description: Mapping[str, Any]) -> str:
    for word in ("step", "epoch"):
        if description.get(word) is not None:
            return f"{word}{description[word]}-{ids.random_id()}"
    return ids.random_id()


def _link(blob: Path, readable: Path) -> bool:
    try:
        os.link(blob, readable)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    with contextlib.suppress(OSError):  # another user's blob: only its owner may
        readable.chmod(stat.S_IMODE(readable.stat().st_mode) & ~_WRITE_BITS)
    return True


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
