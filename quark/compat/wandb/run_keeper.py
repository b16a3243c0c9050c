"""Where the files of logged values go: into the store, and under W&B's names into ``run.dir``.

The bytes rest once among the store's blobs, under their SHA-256. The name in ``run.dir`` is a hard
link to them, read-only, because both are one file; a copy where a file system has no links. Each
file also becomes an :class:`~quark.records.ArtifactRecord`, so that it can be found and read
without W&B's names.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from hashlib import file_digest, sha256 as new_sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.data_types.base import KeptFile
from quark.compat.wandb.run_place import FILES
from quark.errors import SessionStoreError
from quark.records import ArtifactRecord, EventRecord
from quark.writers.artifact_files import blob_path

if TYPE_CHECKING:
    from quark.session.handle import RunHandle

#: What an artifact record says in ``metadata`` of the file's path below ``run.dir``.
PATH_NAME = "wandb_path"

_DIGEST_CHARACTERS = 20
_MAX_PART_CHARACTERS = 100
_READ_ONLY = 0o444
_FORMATS = {".json": "json", ".html": "text"}
_NO_SEGMENT = re.compile(r"[^A-Za-z0-9._-]+")


class RunKeeper:
    """Keeps the files of one row's values. ``step`` is a number, or ``summary``."""

    def __init__(self, handle: RunHandle, step: int | str) -> None:
        self._handle = handle
        self._step = step
        self._files = handle.run_dir / FILES
        self._records: list[dict[str, Any]] = []

    def for_key(self, key: str) -> KeyKeeper:
        """Return the keeper of the value that was logged under ``key``."""
        return KeyKeeper(self, key)

    def keep(self, content: bytes | Path, key: str, folder: str, extension: str) -> KeptFile:
        """Keep one file under the name that W&B would give it."""
        try:
            sha256, size_bytes, blob = self._put(content)
        except SessionStoreError as error:
            sha256, size_bytes = _digest(content)
            blob = None
            self._lament(f"{folder}/{key}", error)
        name = f"{_safe(key)}_{self._step}_{sha256[:_DIGEST_CHARACTERS]}{extension}"
        path = f"{folder}/{name}"
        _place(self._files / path, blob, content)
        self._records.append(
            _record_fields(key, folder, extension, path)
            | {
                "payload_relative_path": f"runs/{self._handle.run_id}/{FILES}/{path}",
                "sha256": sha256,
                "size_bytes": size_bytes,
            }
        )
        return KeptFile(path, sha256, size_bytes)

    def emit(self, time_us: int) -> None:
        """Journal what was kept."""
        if self._records:
            step = self._step if isinstance(self._step, int) and self._step >= 0 else None
            self._handle.emit_many(
                ArtifactRecord, self._records, step=step, epoch=None, time_us=time_us
            )
            self._records = []

    def _put(self, content: bytes | Path) -> tuple[str, int, Path | None]:
        handle = self._handle
        with handle.at_rest() as store:
            if isinstance(content, bytes):
                sha256, size_bytes = store.blobs.put(content, synced=False)
            else:
                kept = store.blobs.put_file(content)
                sha256, size_bytes = kept.sha256, kept.size_bytes
            if handle.settings.durability == "fsync":
                store.blobs.sync([sha256])
            else:
                handle.sync_later([sha256])
            run_dir = store.run_dir(handle.run_id)
        blob = None if run_dir is None else run_dir.parent.parent / blob_path(sha256)
        return sha256, size_bytes, blob

    def _lament(self, key: str, error: SessionStoreError) -> None:
        self._handle.faults.record(
            "a file that was logged is in run.dir alone, not in the store", error, strict=False
        )
        self._handle.emit(
            EventRecord,
            event_type="artifact_lost",
            severity="error",
            payload={"artifact_key": key, "reason": str(error)},
        )


class KeyKeeper:
    """A :class:`~quark.compat.wandb.data_types.base.Keeper` for what one key holds."""

    def __init__(self, keeper: RunKeeper, key: str) -> None:
        self._keeper = keeper
        self._key = key

    def keep(self, content: bytes | Path, *, folder: str, extension: str) -> KeptFile:
        return self._keeper.keep(content, self._key, folder, extension)

    def within(self, part: str) -> KeyKeeper:
        return self  # W&B tells the parts apart by their content alone


def _place(path: Path, blob: Path | None, content: bytes | Path) -> None:
    """Put a file at ``path``: a link to its blob if that can be, else a copy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if blob is not None:
        try:
            os.link(blob, path)
        except FileExistsError:
            return  # the same key, step and content
        except OSError:
            pass
        else:
            with contextlib.suppress(OSError):
                path.chmod(_READ_ONLY)
            return
    part = path.with_name(f".{path.name[-_MAX_PART_CHARACTERS:]}.part")
    try:
        if isinstance(content, bytes):
            part.write_bytes(content)
        else:
            shutil.copyfile(content, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _digest(content: bytes | Path) -> tuple[str, int]:
    if isinstance(content, bytes):
        return new_sha256(content).hexdigest(), len(content)
    with content.open("rb") as file:
        return file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size


def _safe(key: str) -> str:
    """Return a key as a relative path: none that leads elsewhere, no part that is too long."""
    parts = [_cut(part) for part in key.replace("\0", "_").split("/") if part]
    return "/".join("_" * len(part) if part in (".", "..") else part for part in parts) or "_"


def _cut(part: str) -> str:
    return part.encode()[: 2 * _MAX_PART_CHARACTERS].decode("utf-8", "ignore")


def _record_fields(key: str, folder: str, extension: str, path: str) -> dict[str, Any]:
    """Return what a record says of a file beside its content; names are those of the native
    grammar, and the key as it was is in the metadata."""
    segments = [_segment(part) for part in key.split("/")]
    namespace = "/".join(segments[:-1])
    fields = {
        "artifact_type": _segment(folder.removeprefix("media/").replace("/", "-")),
        "artifact_key": "/".join(segments),
        "artifact_name": segments[-1],
        "payload_format": _FORMATS.get("." + extension.rpartition(".")[2], "bytes"),
        "metadata": {PATH_NAME: path, "key": key},
    }
    return {**fields, "namespace": namespace} if namespace else fields


def _segment(text: str) -> str:
    words = _NO_SEGMENT.sub("_", text)[:_MAX_PART_CHARACTERS]
    return words if words[:1].isalnum() else f"x{words}"
