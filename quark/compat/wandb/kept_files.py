"""The files of a run: those in ``run.dir``, and those of its media that are only in the store.

A file of a logged value has a name in ``run.dir``, which may be gone: a run that was copied without
its folder, or that is read from another machine. Its bytes rest in the store under their SHA-256.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from quark import ids
from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb.data_types.base import KeptFile
from quark.compat.wandb.run_keeper import PATH_NAME
from quark.compat.wandb.run_place import FILES
from quark.records import ArtifactRecord, EventRecord
from quark.records.codec import encode_body
from quark.session.branch_events import read_events
from quark.storage.batch import Batch, EncodedRecord

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: The event that says that a file which the store has is no file of the run any more.
FILE_REMOVED = "run_file_removed"


class RunFiles:
    """Files of a run by their path below ``run.dir``, as they were when this was made.

    A :class:`~quark.compat.wandb.data_types.base.Source`. ``read`` gives the store while it is
    needed; ``run_dir`` is the run's folder on this machine, for a store that has none.
    """

    def __init__(
        self,
        run_id: str,
        read: Callable[[], AbstractContextManager[Store]],
        run_dir: Path | None = None,
    ) -> None:
        self._read = read
        with read() as store:
            run_dir = store.run_dir(run_id) or run_dir
            records = store.records.read(ArtifactRecord, run_id)
            removed = {
                event.payload["path"]: event.timestamp
                for event in read_events(store, run_id, FILE_REMOVED)
            }
        self._run_id = run_id
        self.folder = None if run_dir is None else run_dir / FILES
        self._kept: dict[str, KeptFile] = {}
        for record in records:
            path = record.metadata.get(PATH_NAME)
            if isinstance(path, str) and record.timestamp > removed.get(path, ""):
                self._kept[path] = KeptFile(path, record.sha256, record.size_bytes)

    def names(self) -> list[str]:
        """Return the paths of all files."""
        found = set(self._kept)
        if self.folder is not None and self.folder.is_dir():
            paths = (path for path in self.folder.rglob("*") if path.is_file())
            found.update(path.relative_to(self.folder).as_posix() for path in paths)
        return sorted(found)

    def path(self, name: str) -> Path | None:
        """Return where a file lies; None if it is not in ``run.dir``."""
        if self.folder is None:
            return None
        path = self.folder / name
        return path if path.is_file() and _is_below(self.folder, path) else None

    def kept(self, name: str) -> KeptFile | None:
        """Return what the store has of a file."""
        return self._kept.get(name)

    def open(self, path: str) -> BinaryIO:
        there = self.path(path)
        if there is not None:
            return there.open("rb")
        kept = self._kept[path]
        with self._read() as store, store.blobs.open(kept.sha256) as blob:
            return io.BytesIO(blob.read())

    def remove(self, name: str) -> None:
        """Take a file out of the run. What the store has of it is not listed any more; the bytes
        stay until the run is deleted."""
        path = self.path(name)
        if path is not None:
            path.unlink(missing_ok=True)
        if self._kept.pop(name, None) is None:
            return
        event = EventRecord(
            id="",
            run_id=self._run_id,
            timestamp="",
            event_type=FILE_REMOVED,
            payload={"path": name},
        )
        body = encode_body(event)
        record = EncodedRecord(1, 0, event.KIND, None, None, SYSTEM_CLOCK.time_us(), body)
        batch = Batch(
            run_id=self._run_id,
            writer_id=ids.new_writer_id(),
            first_seq=1,
            last_seq=1,
            records=(record,),
        )
        with self._read() as store:
            store.append(batch)


def _is_below(folder: Path, path: Path) -> bool:
    return folder.resolve() in path.resolve().parents
