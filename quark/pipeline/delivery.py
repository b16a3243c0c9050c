"""One delivery: frames of one writer, decoded and appended to a store.

Used by the shipper for its own journal and by recovery for those of others. What the store refuses
for good is found by halving, set aside with the reason, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from quark.errors import RecordRejectedError, SchemaValidationError
from quark.pipeline.decode import decode
from quark.pipeline.diagnostics import LossCounter
from quark.pipeline.frames import Frame, SegmentMeta, record_count
from quark.pipeline.quarantine import set_aside
from quark.storage.batch import Batch

if TYPE_CHECKING:
    from quark.storage.protocols import Store


@dataclass(slots=True)
class Delivery:
    """Appends to ``store``; sets refused frames aside in ``run_dir``. Counts what it did.

    ``on_frames`` is told how many frames were taken, each time.
    """

    store: Store
    run_dir: Path
    losses: LossCounter = field(default_factory=LossCounter)
    on_batch: Callable[[Batch], None] | None = None
    on_frames: Callable[[int], None] = lambda count: None
    points: int = 0
    rows: int = 0  # calls that logged points
    records: int = 0
    refused: int = 0
    last_refusal: str | None = None
    _shown_seq: int = 0

    def deliver(self, meta: SegmentMeta, frames: Sequence[Frame]) -> None:
        """Append ``frames``, which are in order and not empty.

        Raises:
            RunNotFoundError: The store does not know the run and the frames do not create it.
            SessionStoreError: The store cannot take them now; try again later.
        """
        try:
            batch = decode(meta.run_id, meta.writer_id, frames, self._lose)
            self._show(batch)
            self.store.append(batch)
        except (RecordRejectedError, SchemaValidationError) as error:
            if len(frames) > 1:
                middle = len(frames) // 2
                self.deliver(meta, frames[:middle])
                self.deliver(meta, frames[middle:])
                return
            set_aside(self.run_dir, meta, frames[0], str(error))
            self.refused += 1
            self.last_refusal = str(error)
            self.losses.add("record", "rejected", record_count(frames[0].kind, frames[0].body))
            return
        self.on_frames(len(frames))
        self.points += batch.point_count
        self.rows += sum(len(block.seq) for block in batch.blocks)
        self.records += len(batch.records)

    def _lose(self, kind: str, reason: str) -> None:
        self.losses.add(kind, reason)

    def _show(self, batch: Batch) -> None:
        """Let the observer see a batch the first time it comes by."""
        if self.on_batch is not None and batch.first_seq > self._shown_seq:
            self._shown_seq = batch.last_seq
            self.on_batch(batch)
