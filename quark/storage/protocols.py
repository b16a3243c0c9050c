"""The four seams behind which everything rests, and the store that joins them.

Their promises hold for every implementation and are what the contract tests check:

* A store may be used by several threads at once, and by several processes on one machine.
* ``append`` is atomic and exactly once: frames of a writer that were applied before are skipped.
  When it returns, what it took is visible to every reader, in every process.
* Reads see a consistent state; they never wait for a writer longer than one transaction.
* Everything that was applied is returned in order of arrival. Nothing is merged, rounded or lost:
  a float64 comes back bit for bit.
* After ``close`` every call raises :class:`~quark.errors.SessionStoreError`; a second ``close``
  does nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, runtime_checkable

from quark.records import ProjectRecord, Record, RunRecord
from quark.storage.documents import Document, DocumentChange
from quark.storage.file_copy import FileDigests
from quark.storage.model import (
    EVERYTHING,
    Batch,
    Buckets,
    Columns,
    KeyStats,
    RecordFilter,
    RunChanges,
    RunHealth,
    RunQuery,
    Series,
    StepRange,
    StoredRecord,
)

R = TypeVar("R", bound=Record)


class RecordStore(Protocol):
    """Projects, runs, their lifecycle, and every record that is no point."""

    def get_run(self, run_id: str) -> RunRecord:
        """Return the run: its ``run`` record with every later update folded in.

        Raises:
            RunNotFoundError: There is no such run.
        """
        ...

    def list_runs(self, query: RunQuery = RunQuery()) -> tuple[RunRecord, ...]:
        """Return runs by time of creation."""
        ...

    def changed_runs(self, known: Mapping[str, object]) -> RunChanges:
        """Return the runs whose marks are not those that an earlier answer gave.

        Cheap where few have changed: what has not is not read. A run that changes meanwhile may be
        given again the next time; none is ever left out.
        """
        ...

    def healths(self) -> dict[str, RunHealth]:
        """Return how well each run is doing that was judged, by its id.

        One look-up for all runs, however many there are: what tables of runs are sorted by.
        """
        ...

    def list_projects(self) -> tuple[ProjectRecord, ...]:
        """Return the projects that have runs, by name."""
        ...

    def delete_run(self, run_id: str) -> None:
        """Remove the run and everything that belongs to it, payloads of other runs excepted.

        Raises:
            RunNotFoundError: There is no such run.
        """
        ...

    def read(
        self, kind: type[R], run_id: str, where: RecordFilter = RecordFilter()
    ) -> tuple[R, ...]:
        """Return records of one kind in order of arrival. Not for metrics: those are points.

        Raises:
            RunNotFoundError: There is no such run.
            SchemaValidationError: ``where`` names a field that the kind cannot be selected by.
        """
        ...

    def scan(
        self, run_id: str, kinds: Collection[str], *, after: int = 0
    ) -> Iterator[Sequence[StoredRecord]]:
        """Yield records of some kinds undecoded, many at once, in order of arrival.

        Each part is a consistent state of its own; what arrives meanwhile comes at the end.
        ``after``: the position of the last record that was seen already.

        Raises:
            RunNotFoundError: There is no such run.
        """
        ...

    def count(self, run_id: str) -> dict[str, int]:
        """Return how many records of each kind the run has."""
        ...


class PointStore(Protocol):
    """Scalars, packed. All reads raise :class:`RunNotFoundError` for an unknown run; an unknown
    key is an empty series."""

    def series(
        self, run_id: str, key: str, steps: StepRange = EVERYTHING, *, columns: Columns = "all"
    ) -> Series:
        """Return one key's points. ``"step_value"`` leaves writer, seq, epoch and time empty."""
        ...

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
    ) -> dict[str, Series]:
        """Return several keys' points in one pass over what has not been merged yet."""
        ...

    def buckets(
        self, run_id: str, key: str, bucket_count: int, steps: StepRange = EVERYTHING
    ) -> Buckets:
        """Cut ``[lowest step, highest step]`` of what is selected into equal ranges of steps.

        Points without a step are left out.

        Raises:
            SchemaValidationError: ``bucket_count`` is below 1.
        """
        ...

    def keys(self, run_id: str) -> dict[str, KeyStats]:
        """Return every key with its count and last point, by first arrival."""
        ...

    def merge(self, run_id: str, *, final: bool = False) -> None:
        """Pack what is pending into chunks where that is due, or all of it if ``final``."""
        ...


class BlobStore(Protocol):
    """Payloads, kept once under their SHA-256."""

    def put(self, source: BinaryIO | bytes, *, synced: bool = True) -> tuple[str, int]:
        """Store a stream in constant memory and return its SHA-256 (hex) and size in bytes.

        Args:
            synced: Whether it survives a loss of power when this returns. If not, it survives the
                end of this process, and a loss of power after :meth:`sync`, which takes many
                payloads at once in a fraction of the time.
        """
        ...

    def put_file(self, path: Path) -> FileDigests:
        """Store a file as it is now, in one pass and constant memory; its holes stay holes.

        It survives the end of this process, but a loss of power only after :meth:`sync`: that is
        much faster for many files at once.

        Raises:
            OSError: The file cannot be read.
            SchemaValidationError: It was changed meanwhile, again and again.
        """
        ...

    def put_all(self, sources: Sequence[bytes | Path]) -> list[FileDigests]:
        """Store many payloads and files, with few requests where that is elsewhere.

        Return what each is known by. They are as safe as after :meth:`put_file`.

        Raises:
            OSError: A file cannot be read.
            SchemaValidationError: A file was changed meanwhile, again and again.
        """
        ...

    def sync(self, digests: Iterable[str]) -> None:
        """Let payloads survive a loss of power.

        Raises:
            KeyError: A payload is not here.
        """
        ...

    def copy_to(self, sha256: str, path: Path) -> None:
        """Write a payload into a file of its own; its holes stay holes.

        Raises:
            KeyError: There is no such payload.
            OSError: The file cannot be written.
        """
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Open a payload for reading.

        Raises:
            KeyError: There is no such payload.
        """
        ...

    def exists(self, sha256: str) -> bool:
        """Say whether the payload is here."""
        ...

    def delete(self, sha256: str) -> None:
        """Remove a payload; nothing happens if it is not here."""
        ...

    def claim(self, sha256: str) -> bool:
        """Note that a payload is in use now, as putting it again does; say whether it is here.

        Who is told that it is here may rely on that for as long as a collector of payloads waits,
        which is a day by default.
        """
        ...

    def claim_all(self, digests: Collection[str]) -> set[str]:
        """Claim many payloads, with few requests where they are elsewhere; return those that are
        here."""
        ...

    def unclaimed(self, before_us: int) -> dict[str, int]:
        """Return the payloads that were neither put nor claimed since, with their sizes in
        bytes."""
        ...

    def remove_unclaimed(self, sha256: str, before_us: int) -> int | None:
        """Remove a payload and return its size in bytes; None if it was put or claimed since, by
        any process, or is not here."""
        ...

    def digests(self) -> Iterable[str]:
        """Yield the SHA-256 of every payload."""
        ...


class DocumentStore(Protocol):
    """Small JSON documents that belong to no single run and that several processes change."""

    def get(self, kind: str, name: str) -> Document | None:
        """Return a document; None if there is none of this kind and name."""
        ...

    def list(self, kind: str, prefix: str = "", *, after: int = 0) -> tuple[Document, ...]:
        """Return the documents of a kind whose names begin with ``prefix``, by name.

        ``after``: only those that were written since the document of this revision was.
        """
        ...

    def apply(self, changes: Sequence[DocumentChange]) -> tuple[Document | None, ...]:
        """Carry out all changes or none; return what each document is now.

        Raises:
            DocumentConflictError: A document is not at the revision that a change expects.
            SchemaValidationError: A kind, a name or a body breaks a rule.
        """
        ...


@runtime_checkable
class DocumentScan(Protocol):
    """Documents that can be looked at one after the other, in bounded memory."""

    def scan(self, kind: str, prefix: str = "", *, after: int = 0) -> Iterator[Document]:
        """Yield what :meth:`DocumentStore.list` returns, all as it was at one moment."""
        ...


class Store(Protocol):
    """The four seams of one place, and the one way in."""

    @property
    def records(self) -> RecordStore: ...

    @property
    def points(self) -> PointStore: ...

    @property
    def blobs(self) -> BlobStore: ...

    @property
    def documents(self) -> DocumentStore: ...

    @property
    def target(self) -> str:
        """Where this is, as a URL without secrets."""
        ...

    def append(self, batch: Batch) -> int:
        """Apply a batch in one transaction; return how many of its frames were new.

        A ``run`` record creates the run; if the run is there already, it is left as it is.

        Raises:
            RunNotFoundError: The run is not there and the batch does not create it.
            RecordRejectedError: The batch can never be accepted (an unknown kind, a key that is
                too long, a lifecycle change that is not allowed is *not* one: it is recorded).
            SessionStoreError: The store cannot take it now; try again later.
        """
        ...

    def position(self, run_id: str, writer_id: str) -> int:
        """Return the ``seq`` of the last frame applied from this writer, 0 if none."""
        ...

    def run_dir(self, run_id: str) -> Path | None:
        """Return the run's folder if this store keeps runs in folders on this machine."""
        ...

    def close(self) -> None:
        """Release files and connections. Does not merge."""
        ...
