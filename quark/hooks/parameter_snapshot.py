"""One snapshot of the parameters: on its way from the device, and the records that it becomes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from quark.clock import SYSTEM_CLOCK
from quark.hooks.config import ParameterDiagnosticsConfig
from quark.hooks.emitted import Emitted, Outbox, emit
from quark.hooks.parameter_taken import TakenParameters
from quark.pipeline.deferred import Deferred
from quark.records import ParameterDistributionRecord, ParameterSummaryRecord, Record
from quark.session.handle import RunHandle

R = TypeVar("R", bound=Record)

#: How many records go into one frame: the journal is not held for longer than those take.
_ROWS_PER_FRAME = 128


class Outboxes:
    """What was journaled of a run's parameters since the last flush."""

    def __init__(self, handle: RunHandle, batch_size: int) -> None:
        self.handle = handle
        self.summaries: Outbox[ParameterSummaryRecord] = Outbox(batch_size)
        self.distributions: Outbox[ParameterDistributionRecord] = Outbox(batch_size)


class ParameterSnapshot(Deferred):
    """Becomes the records of one step, in the background. ``after`` is the snapshot before it,
    which has to be read first: ratios need its norms."""

    what = ParameterSummaryRecord.KIND

    def __init__(
        self,
        taken: TakenParameters,
        outboxes: Outboxes,
        config: ParameterDiagnosticsConfig,
        *,
        step: int,
        epoch: int | None,
        metadata: Mapping[str, Any],
        after: ParameterSnapshot | None,
    ) -> None:
        super().__init__(taken.size_bytes)
        self._taken: TakenParameters | None = taken
        self._outboxes = outboxes
        self._config = config
        self._place = (step, epoch, SYSTEM_CLOCK.time_us())
        self._metadata = metadata
        self._after = after
        self._pid = os.getpid()
        self._summaries: list[Emitted[ParameterSummaryRecord]] = []
        self._distributions: list[Emitted[ParameterDistributionRecord]] = []

    def ready(self) -> bool:
        taken = self._taken
        return taken is None or taken.ready()

    def summaries(self) -> tuple[ParameterSummaryRecord, ...]:
        """Wait until the snapshot is journaled and return its summaries."""
        self._resolve_in_order()
        return tuple(record for emitted in self._summaries for record in emitted.records())

    def distributions(self) -> tuple[ParameterDistributionRecord, ...]:
        """Wait until the snapshot is journaled and return its distributions."""
        self._resolve_in_order()
        return tuple(record for emitted in self._distributions for record in emitted.records())

    def _resolve_in_order(self) -> None:
        waiting: list[ParameterSnapshot] = []
        snapshot: ParameterSnapshot | None = self
        while snapshot is not None:
            waiting.append(snapshot)
            snapshot = snapshot._after
        while waiting:
            waiting.pop().resolve()

    def _journal(self) -> None:
        after, self._after = self._after, None
        taken, self._taken = self._taken, None
        if self._pid != os.getpid():
            return  # a forked child has no part in what its parent still waits for
        if after is not None:
            after.resolve()
        if taken is not None:
            self._journal_rows(*self._rows(taken))

    def _rows(self, taken: TakenParameters) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        from quark.hooks.parameter_rows import distribution_rows, summary_row  # numpy

        config, metadata = self._config, self._metadata
        summaries, distributions = [], []
        with taken.reading() as readings:
            for reading in readings:
                if config.capture_summaries:
                    summaries.append(summary_row(reading, metadata))
                if config.capture_distributions:
                    distributions += distribution_rows(
                        reading, config.distribution_types, config.histogram_bins, metadata
                    )
        return summaries, distributions

    def _journal_rows(
        self, summaries: list[dict[str, Any]], distributions: list[dict[str, Any]]
    ) -> None:
        boxes = self._outboxes
        full = False
        for rows in _frames(summaries):
            summary = self._emit(ParameterSummaryRecord, rows)
            self._summaries.append(summary)
            full |= boxes.summaries.add(summary)
        for rows in _frames(distributions):
            distribution = self._emit(ParameterDistributionRecord, rows)
            self._distributions.append(distribution)
            full |= boxes.distributions.add(distribution)
        if full:
            boxes.handle.request_flush()

    def _emit(self, kind: type[R], rows: Sequence[Mapping[str, Any]]) -> Emitted[R]:
        step, epoch, time_us = self._place
        return emit(self._outboxes.handle, kind, rows, step=step, epoch=epoch, time_us=time_us)


class LazyRecords(Sequence[R], Generic[R]):
    """Records that are built when they are looked at, which waits until they are measured.

    Keeping it costs nothing; ``len``, iteration, indexing, comparing and printing all look. It is
    equal to a tuple of the same records.
    """

    def __init__(self, build: Callable[[], tuple[R, ...]]) -> None:
        self._build: Callable[[], tuple[R, ...]] | None = build
        self._records: tuple[R, ...] = ()

    def _look(self) -> tuple[R, ...]:
        build = self._build
        if build is not None:
            self._records = build()
            self._build = None
        return self._records

    def __len__(self) -> int:
        return len(self._look())

    def __iter__(self) -> Iterator[R]:
        return iter(self._look())

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[R, ...]: ...

    def __getitem__(self, index: int | slice) -> R | tuple[R, ...]:
        return self._look()[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, LazyRecords)):
            return NotImplemented
        return self._look() == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # records hold mappings, which have no hash either

    def __repr__(self) -> str:
        return repr(self._look())


def _frames(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    return (rows[start : start + _ROWS_PER_FRAME] for start in range(0, len(rows), _ROWS_PER_FRAME))
