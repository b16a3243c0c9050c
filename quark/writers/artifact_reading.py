"""Reading payloads back, verified: what comes out has the size and SHA-256 that went in."""

from __future__ import annotations

from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import BinaryIO, NoReturn

from quark.errors import DamagedFileError
from quark.records import ArtifactRecord
from quark.storage.protocols import Store
from quark.writers.artifact_files import blob_path

_PIECE_BYTES = 1 << 20


def read_verified(store: Store, record: ArtifactRecord) -> bytes:
    """Return the payload of ``record``.

    Raises:
        DamagedFileError: It is not what was stored, or not there.
    """
    with _open(store, record) as stream:
        content = stream.read()
    _verify(store, record, new_sha256(content).hexdigest(), len(content))
    return content


def open_verified(store: Store, record: ArtifactRecord) -> BinaryIO:
    """Read the payload of ``record`` once to verify it, then return it open at its beginning.

    Raises:
        DamagedFileError: It is not what was stored, or not there.
    """
    stream = _open(store, record)
    try:
        digest, size_bytes = new_sha256(), 0
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
            size_bytes += len(piece)
        _verify(store, record, digest.hexdigest(), size_bytes)
        if stream.seekable():
            stream.seek(0)
            return stream
    except BaseException:
        stream.close()
        raise
    stream.close()
    return _open(store, record)


def _open(store: Store, record: ArtifactRecord) -> BinaryIO:
    """Open the blob; the readable file where a run's folder came here without its blobs."""
    try:
        return store.blobs.open(record.sha256)
    except KeyError:
        pass
    run_dir = store.run_dir(record.run_id)
    if run_dir is not None and record.payload_relative_path:
        try:
            return (run_dir.parent.parent / record.payload_relative_path).open("rb")
        except OSError:
            pass
    raise DamagedFileError(
        f"The payload of {_name(record)} is not in {store.target}: there is no blob "
        f"{record.sha256 or '(it was never stored)'}. Bring the file back from a copy of the store."
    )


def _verify(store: Store, record: ArtifactRecord, sha256: str, size_bytes: int) -> None:
    if (sha256, size_bytes) != (record.sha256, record.size_bytes):
        _refuse(_place(store, record), record, sha256, size_bytes)


def _place(store: Store, record: ArtifactRecord) -> Path | str:
    run_dir = store.run_dir(record.run_id)
    return store.target if run_dir is None else run_dir.parent.parent / blob_path(record.sha256)


def _refuse(place: Path | str, record: ArtifactRecord, sha256: str, size_bytes: int) -> NoReturn:
    raise DamagedFileError(
        f"The payload of {_name(record)} was changed on disk: {place} should hold "
        f"{record.size_bytes} bytes with SHA-256 {record.sha256}, and holds {size_bytes} bytes "
        f"with {sha256}. Its readable name is {record.payload_relative_path or '(none)'}; both are "
        "one file. Bring it back from a copy, or store the payload again, which "
        "also restores every other artifact with this content."
    )


def _name(record: ArtifactRecord) -> str:
    return f"artifact {record.artifact_key!r} ({record.id or 'without id'})"
