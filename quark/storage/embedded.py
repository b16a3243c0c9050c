"""The store in a folder: SQLite files and payload files, without any server.

The truth about a run rests in the run's own file; ``index.db`` mirrors the rows of all runs. This
module and what it imports do without numpy until points are touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from quark.errors import RunNotFoundError
from quark.storage import layout
from quark.storage.admission import check_batch, is_run_id
from quark.storage.embedded_records import EmbeddedRecords
from quark.storage.index_db import IndexDb, IndexedRun
from quark.storage.judgements import JUDGING_KINDS
from quark.storage.model import Batch
from quark.storage.open_runs import MAX_OPEN_RUNS, OpenRuns

if TYPE_CHECKING:
    from quark.storage.embedded_documents import EmbeddedDocuments
    from quark.storage.folder_blobs import FolderBlobs
    from quark.storage.packed_points import PackedPoints
    from quark.storage.sqlite_tables import SqlitePackedRun


class EmbeddedStore:
    """A :class:`~quark.storage.protocols.Store` below one folder, usually ``<dir>/.quark``.

    Creating it touches no file; the folder is made by the first append. Threads may share it, and
    any number of processes may open the same folder. After a ``fork`` both sides may go on.

    ``synced``: what an append or a change of documents took survives a loss of power when it
    returns, and not only the end of the process; each then waits for the disk.
    """

    def __init__(
        self, root: Path, *, max_open_runs: int = MAX_OPEN_RUNS, synced: bool = False
    ) -> None:
        self.root = Path(root).absolute()
        self._synced = synced
        self._runs = OpenRuns(self.root, max_open_runs, synced=synced)
        self._index = IndexDb(layout.index_path(self.root), str(layout.storage_dir(self.root)))
        self._records = EmbeddedRecords(self._runs, self._index)

    @property
    def records(self) -> EmbeddedRecords:
        return self._records

    @cached_property
    def points(self) -> PackedPoints:
        from quark.storage.packed_points import PackedPoints  # numpy

        return PackedPoints(self._packed_run)

    @cached_property
    def blobs(self) -> FolderBlobs:
        from quark.storage.folder_blobs import FolderBlobs  # OpenSSL

        return FolderBlobs(layout.blobs_path(self.root), self._runs.check_open)

    @cached_property
    def documents(self) -> EmbeddedDocuments:
        from quark.storage.embedded_documents import EmbeddedDocuments  # few runs need any

        return EmbeddedDocuments(
            layout.documents_path(self.root), self._runs.check_open, synced=self._synced
        )

    @property
    def target(self) -> str:
        return f"file:{self.root}"  # ``as_uri`` would load urllib

    def append(self, batch: Batch) -> int:
        self._runs.check_open()
        check_batch(batch)
        with self._runs.use(batch.run_id) as run_db:
            applied = run_db.append(batch)
            is_judged = any(record.kind in JUDGING_KINDS for record in batch.records)
            judged = run_db.judged() if is_judged else None
        # Also when all frames were known: the process may have died before it came here.
        if applied.run is not None:
            self._index.put([IndexedRun(applied.run, applied.version)])
        if judged is not None:
            self._index.put_judged({batch.run_id: judged})
        return applied.new_frame_count

    def position(self, run_id: str, writer_id: str) -> int:
        self._runs.check_open()
        if not is_run_id(run_id):
            return 0
        with self._runs.use(run_id) as run_db:
            return run_db.position(writer_id)

    def positions(self, run_id: str) -> dict[str, int]:
        """Return the position of each writer of a run, by first batch.

        Raises:
            RunNotFoundError: There is no such run.
        """
        with self._runs.use(run_id) as run_db, run_db.reading() as connection:
            return dict(connection.execute("SELECT name, position FROM writer ORDER BY id"))

    def run_dir(self, run_id: str) -> Path | None:
        self._runs.check_open()
        if not is_run_id(run_id):
            raise RunNotFoundError(f"There is no run {run_id!r}: no run can have this id.")
        return layout.run_path(self.root, run_id)

    def close(self) -> None:
        self._runs.close()
        self._index.close()
        if "documents" in self.__dict__:
            self.documents.close()

    @contextmanager
    def _packed_run(self, run_id: str) -> Iterator[SqlitePackedRun]:
        from quark.storage.sqlite_tables import SqlitePackedRun  # with the first point

        with self._runs.use(run_id) as run_db:
            yield SqlitePackedRun(run_db)
