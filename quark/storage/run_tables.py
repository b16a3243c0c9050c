"""What packing and reading points ask of a database, whichever it is.

The blobs are the same in all of them (docs/formats.md), and so are the tables that hold them; only
how they are asked for differs. ``sqlite_tables`` does it for a run's own file, ``postgres.tables``
for a server. All of it happens inside one transaction, which the caller begins and ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from quark.storage.axis import AxisStats
    from quark.storage.chunk import ChunkStats


class Pending(NamedTuple):
    """How much no merge has packed yet, and how many keys the run has."""

    segment_count: int
    point_count: int
    key_count: int


class MergeState(NamedTuple):
    """A number that every merge changes and no two runs share, also two of the same id, and until
    when a process has announced that it merges."""

    generation: int
    claimed_until_us: int


class TailRow(NamedTuple):
    """A small chunk at the end of its key."""

    key_number: int
    chunk_id: int
    axis_id: int
    body: bytes


class NewChunk(NamedTuple):
    """A chunk that is to be written."""

    key_number: int
    point_count: int
    stats: ChunkStats
    is_tail: bool
    body: bytes


class KeyTable(Protocol):
    """The keys of a run and their numbers, from 0 by first arrival; they never change."""

    def keys_from(self, number: int) -> Iterable[tuple[str, int]]:
        """Yield the keys from a number on."""
        ...

    def add_keys(self, numbered: Sequence[tuple[str, int]]) -> None:
        """Add keys; the caller holds what keeps others from doing so."""
        ...


class RunTables(KeyTable, Protocol):
    """The tables of one run in one transaction. Reading sees one state throughout."""

    def key_numbers(self, keys: Sequence[str]) -> dict[str, int]:
        """Return the numbers of those keys that the run has."""
        ...

    def key_names(self) -> list[str]:
        """Return all keys by number."""
        ...

    def writers(self) -> tuple[str, ...]:
        """Return the writers' ids by number."""
        ...

    def pending(self) -> Pending: ...

    def segments(self) -> Iterator[tuple[int, bytes]]:
        """Yield id and body of the pending segments in order of arrival."""
        ...

    def chunk_rows(self, key_number: int) -> Iterable[Sequence[Any]]:
        """Yield a key's chunks in order of arrival, as the columns of ``packed.ChunkRow``."""
        ...

    def chunk_bodies(self, chunk_ids: Sequence[int]) -> Iterator[bytes]:
        """Yield bodies as they are needed; an empty one where there is no such chunk."""
        ...

    def axis_bodies(self, axis_ids: Sequence[int]) -> Iterator[bytes]:
        """Yield bodies as they are needed; an empty one where there is no such axis."""
        ...

    def packed_stats(self) -> Iterable[Sequence[Any]]:
        """Yield for every key that has chunks: number, points, non-finite values, lowest and
        highest step, and of the last point step, epoch, time and value."""
        ...

    def tail_counts(self) -> Iterable[tuple[int, int, int]]:
        """Yield number, chunks and points of every key that has small chunks at its end."""
        ...

    def tails(self, key_numbers: Collection[int]) -> Iterable[TailRow]:
        """Yield the small chunks at the end of some keys, each key's by id."""
        ...

    # -- in a transaction that writes ------------------------------------------------------------

    def merge_state(self) -> MergeState: ...

    def set_merge_state(self, state: MergeState) -> None: ...

    def set_aside(self, damaged: Sequence[tuple[int, str]]) -> None:
        """Copy segments, given by id and reason, to the table ``damaged``."""
        ...

    def remove_segments(self, last_id: int) -> None:
        """Remove the pending segments up to an id."""
        ...

    def end_tails(self, key_numbers: Sequence[int]) -> None:
        """Note that no small chunk of these keys is at its key's end any more."""
        ...

    def add_axis(self, use_count: int, stats: AxisStats, body: bytes) -> int:
        """Add an axis and return its id."""
        ...

    def add_chunks(self, axis_id: int, chunks: Iterable[NewChunk]) -> None:
        """Add chunks that lie on one axis."""
        ...

    def remove_chunks(self, chunk_ids: Sequence[int]) -> None: ...

    def release_axes(self, use_counts: Mapping[int, int]) -> None:
        """Count down how many chunks lie on each axis, and remove those that are not used."""
        ...


class PackedRun(Protocol):
    """One run's points, packed in some database."""

    @property
    def run_id(self) -> str: ...

    def pending_hint(self) -> Pending | None:
        """Return what was pending after the last append of this process, if that is remembered.

        Whoever appends more than that, in another process, knows of it.
        """
        ...

    def reading(self) -> AbstractContextManager[RunTables]:
        """Give one consistent state of the run.

        Raises:
            RunNotFoundError: There is no such run.
        """
        ...

    def writing(self) -> AbstractContextManager[RunTables]:
        """Run one transaction that excludes every other writer of the run.

        Raises:
            RunNotFoundError: There is no such run.
        """
        ...

    def shrink(self) -> None:
        """Give free space back, where that is for the store to do."""
        ...
