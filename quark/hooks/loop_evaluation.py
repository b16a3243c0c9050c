"""Whether a model is evaluated on what it was trained on, told by rows of its inputs.

Of training batches and of evaluations, some rows are sampled and reduced to a number each; equal
rows have equal numbers. What of an evaluation was seen in training is counted in the background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from quark.hooks.loop_reading import row_marks
from quark.pipeline.deferred import Deferred
from quark.records import TrainingLoopRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.hooks.loop_probe import SentSamples

#: Rows of the training that are remembered.
MAX_REMEMBERED = 50_000
#: Of a stretch of evaluation the first passes are looked at less and less often.
_MAX_PASS = 64


def is_looked_at(pass_number: int) -> bool:
    """Say whether a pass of an evaluation is sampled, counted from 1: 1, 2, 4 … 64.

    >>> [number for number in range(1, 100) if is_looked_at(number)]
    [1, 2, 4, 8, 16, 32, 64]
    """
    return pass_number & (pass_number - 1) == 0 and pass_number <= _MAX_PASS


def different_rows(batch: NDArray[np.float32]) -> set[float]:
    """Return one number for each different row of a batch, shape ``(rows, ...)``.

    >>> len(different_rows(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]], np.float32)))
    2
    """
    marks = row_marks(batch.reshape(len(batch), -1).astype(np.float64))
    return set(marks[np.isfinite(marks)].tolist())


class SeenRows:
    """Counts rows of evaluations, and those among them that training has shown before. For the
    background thread alone."""

    def __init__(self) -> None:
        self._marks: set[float] = set()
        self._counts = dict.fromkeys(_FIELDS, 0)

    def note_training(self, batch: NDArray[np.float32]) -> None:
        """Remember rows that the model was trained on."""
        if len(self._marks) < MAX_REMEMBERED:
            self._marks |= different_rows(batch)

    def note_evaluation(self, batch: NDArray[np.float32]) -> None:
        """Count rows that the model was evaluated on."""
        if not self._marks:
            return  # before the training there is nothing to compare with
        marks = different_rows(batch)
        seen = len(marks & self._marks)
        self._counts["evaluation_row_count"] += len(marks)
        self._counts["evaluation_seen_row_count"] += seen
        self._counts["evaluation_pass_count"] += 1
        self._counts["evaluation_unseen_pass_count"] += not seen

    def take(self) -> dict[str, Any]:
        """Return the counts, which are fields of a training loop's record, and begin anew."""
        counts, self._counts = self._counts, dict.fromkeys(_FIELDS, 0)
        return dict(counts) if counts["evaluation_pass_count"] else {}


class EvaluationReading(Deferred):
    """A sample of one pass of an evaluation, on its way from the device."""

    what = TrainingLoopRecord.KIND

    def __init__(self, seen: SeenRows, sent: SentSamples) -> None:
        super().__init__(sent.size_bytes)
        self._seen, self._sent = seen, sent

    def ready(self) -> bool:
        return self._sent.ready()

    def _journal(self) -> None:
        batch = self._sent.read().get("input")
        if batch is not None:
            self._seen.note_evaluation(batch)


_FIELDS = (
    "evaluation_row_count",
    "evaluation_seen_row_count",
    "evaluation_pass_count",
    "evaluation_unseen_pass_count",
)
