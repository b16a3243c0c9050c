"""Records that were journaled many to a frame, and are built only for those who ask for them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from quark.clock import format_timestamp
from quark.ids import record_id
from quark.records import Record
from quark.session.handle import RunHandle

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted(Generic[R]):
    """What :func:`emit` journaled."""

    kind: type[R]
    run_id: str
    writer_id: str
    seq: int
    step: int | None
    epoch: int | None
    time_us: int
    rows: Sequence[Mapping[str, Any]]

    def records(self) -> tuple[R, ...]:
        """Return the records as they are read back from the store."""
        timestamp = format_timestamp(self.time_us)
        return tuple(
            self.kind(
                id=record_id(self.writer_id, self.seq, place) if self.seq else "",
                run_id=self.run_id,
                timestamp=timestamp,
                **{"step": self.step, "epoch": self.epoch, **row},
            )
            for place, row in enumerate(self.rows)
        )


def emit(
    handle: RunHandle,
    kind: type[R],
    rows: Sequence[Mapping[str, Any]],
    *,
    step: int | None,
    epoch: int | None,
    time_us: int,
) -> Emitted[R]:
    """Journal records of one kind, step and moment."""
    writer_id, seq = handle.emit_many(kind, rows, step=step, epoch=epoch, time_us=time_us)
    return Emitted(
        kind=kind,
        run_id=handle.run_id,
        writer_id=writer_id,
        seq=seq,
        step=step,
        epoch=epoch,
        time_us=time_us,
        rows=rows,
    )


class Outbox(Generic[R]):
    """What was emitted since the last flush, up to ``batch_size`` records. Any thread may add."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._waiting: list[Emitted[R]] = []
        self._count = 0

    def add(self, emitted: Emitted[R]) -> bool:
        """Take what was emitted; True if that makes a batch, which the store is to be asked for."""
        with self._lock:
            self._waiting.append(emitted)
            self._count += len(emitted.rows)
            if self._count < self._batch_size:
                return False
            self._waiting, self._count = [], 0
            return True

    def take(self) -> tuple[R, ...]:
        """Return the records that wait, and forget them."""
        with self._lock:
            waiting, self._waiting, self._count = self._waiting, [], 0
        return tuple(record for emitted in waiting for record in emitted.records())
