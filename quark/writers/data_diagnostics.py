"""Batches: what they were made of, what they cost, and which of them stand out.

Raw samples are never kept: only losses, ids, class counts, lengths and small metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quark.errors import SchemaValidationError
from quark.pipeline.rows import as_scalar_or_list
from quark.records import BatchDiagnosticRecord
from quark.session.events import check_index
from quark.session.resolve import Target
from quark.storage.model import RecordFilter, StepRange
from quark.writers.base import RecordWriter
from quark.writers.batch_composition import agreed_size, compose
from quark.writers.batch_config import DataDiagnosticsConfig
from quark.writers.batch_extraction import NOTHING, extract, plain_metadata
from quark.writers.filters import step_range

if TYPE_CHECKING:
    from quark.writers.batch_results import (
        DataDiagnosticsSummary,
        ExposureSummary,
        HardBatchFinding,
    )


class DataDiagnostics(RecordWriter[BatchDiagnosticRecord]):
    """Logs batches of a run, and tells which were hard and what the model was shown.

    >>> import tempfile
    >>> from quark import TrainingSession
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with DataDiagnostics(session) as diagnostics:
    ...         for step, loss in enumerate([0.5, 0.6, 0.4, 0.5, 9.0, 0.6]):
    ...             _ = diagnostics.log_batch(loss, step=step, labels=[0, 0, 1])
    ...         [finding.step for finding in diagnostics.find_hard_batches()]
    ...         diagnostics.summarize_exposure().class_counts
    [4]
    {'0': 12, '1': 6}
    """

    def __init__(self, session: Target, *, config: DataDiagnosticsConfig | None = None) -> None:
        self._config = config or DataDiagnosticsConfig()
        super().__init__(session, batch_size=self._config.batch_size)

    def log_batch(
        self,
        loss: float,
        *,
        step: int | None = None,
        epoch: int | None = None,
        batch: Any | None = None,
        batch_size: int | None = None,
        labels: Any | None = None,
        sample_ids: Any | None = None,
        sequence_lengths: Any | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
    ) -> BatchDiagnosticRecord:
        """Log one batch. When this returns, it survives the death of the process.

        Labels, ids and lengths may be lists, tuples, numpy arrays or torch tensors. A tensor on a
        GPU is copied, which waits for the GPU: pass what the data loader gave, before ``.to(...)``.
        The same holds for a ``loss`` that is a tensor.

        Args:
            loss: The batch's loss; one that is not finite is kept, and is a hard batch.
            step: Counted from 0.
            epoch: Counted from 0.
            batch: What the config's adapter reads; without an adapter it is not looked into. What
                is passed beside it wins over what the adapter says.
            batch_size: How many samples; else what the following say.
            labels: Class ids, shape ``(n,)`` or ``(n, 1)``; a matrix of 0 and 1 (one-hot or
                multi-label; each 1 counts) or probabilities (each row counts for its greatest),
                shape ``(n, classes)``; or a mapping from class to count.
            sample_ids: Integers or strings, shape ``(n,)``.
            sequence_lengths: Integers, shape ``(n,)``.
            metadata: Anything that JSON can hold, but no arrays; joined with the adapter's.
            timestamp: ISO 8601; now if it is left out.

        Raises:
            SchemaValidationError: An argument breaks a rule, or two disagree on the batch size.
            WriterClosedError: The writer was closed or the run has ended.
        """
        if self._closed or self._handle.closed:
            self._check_open()
        if type(loss) is not float:
            loss = _as_loss(loss)
        check_index("step", step)
        check_index("epoch", epoch)
        adapter = self._config.adapter
        said = (
            NOTHING
            if adapter is None or batch is None
            else extract(adapter, batch, self._handle.faults)
        )
        parts = compose(batch_size, labels, sample_ids, sequence_lengths)
        if said is not NOTHING:
            given = {name: part for name, part in parts._asdict().items() if part is not None}
            if labels is not None:
                given["label_count"] = parts.label_count
            parts = said.parts._replace(**given)
        kept: dict[str, Any] = {
            "batch_size": agreed_size(parts),
            "sample_ids": parts.sample_ids,
            "class_counts": parts.class_counts,
            "sequence_lengths": parts.sequence_lengths,
            "metadata": said.metadata,
        }
        if metadata:
            kept["metadata"] = {**said.metadata, **plain_metadata(metadata)}
        record = self._handle.emit(
            BatchDiagnosticRecord,
            timestamp=timestamp,
            loss=loss,
            step=step,
            epoch=epoch,
            **{name: part for name, part in kept.items() if part or part == 0},
        )
        return self._add(record)

    def read(
        self,
        *,
        sample_id: str | int | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        limit: int | None = None,
    ) -> tuple[BatchDiagnosticRecord, ...]:
        """Return batches in the order in which they were logged; ``limit`` keeps the newest.

        Args:
            sample_id: Only batches that held this sample.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, limit)
        if sample_id is None:
            return self._read(steps)
        if not isinstance(sample_id, (str, int)) or isinstance(sample_id, bool):
            raise SchemaValidationError(
                f"sample_id {sample_id!r} is not valid: it must be a string or an integer."
            )
        everything = self._read(
            step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, None)
        )
        wanted = str(sample_id)
        found = tuple(record for record in everything if wanted in (record.sample_ids or ()))
        return found if limit is None else found[max(0, len(found) - limit) :]

    def summarize_exposure(
        self,
        *,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
    ) -> ExposureSummary:
        """Return how often each class and each sample was in a batch.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        from quark.writers.exposure import summarize_exposure

        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, None)
        return summarize_exposure(self._read(steps))

    def find_hard_batches(
        self,
        *,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        limit: int | None = 10,
    ) -> tuple[HardBatchFinding, ...]:
        """Return the batches that stand out from the others in the range, the hardest first.

        A batch stands out if its loss is not finite, or above one of three thresholds: a z-score
        (with the standard deviation of the whole population), the upper fence of the interquartile
        range, a percentile; or if its longest sequence is above one of the first two, compared with
        the longest of the other batches. Batches with equal losses never stand out.

        Losses fall during a training: choose a range, such as one epoch, to compare like with like.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        from quark.writers.hard_batches import find_hard_batches  # numpy

        check_index("limit", limit)
        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, None)
        return find_hard_batches(self._read(steps), self._config, limit)

    def summarize(
        self,
        *,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        hard_batch_limit: int | None = 10,
    ) -> DataDiagnosticsSummary:
        """Return losses, lengths, exposure and hard batches of the range, read once.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        from quark.writers.batch_summary import summarize  # numpy

        check_index("hard_batch_limit", hard_batch_limit)
        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, None)
        return summarize(self._read(steps), self._config, hard_batch_limit)

    def _read(self, steps: StepRange) -> tuple[BatchDiagnosticRecord, ...]:
        with self._handle.reading() as store:
            where = RecordFilter(steps=steps)
            return store.records.read(BatchDiagnosticRecord, self._handle.run_id, where)


def _as_loss(value: Any) -> float:
    """Return a scalar of any numeric kind as a float.

    Raises:
        SchemaValidationError: It is no single number, or no float can hold it.
    """
    number = value
    if type(number) is not int and not isinstance(number, (bool, str, bytes)):
        try:
            number = as_scalar_or_list(number)
        except (TypeError, SchemaValidationError):
            number = None
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        try:
            return float(number)
        except OverflowError:
            pass
    raise SchemaValidationError(
        f"The loss {value!r} of type {type(value).__name__} is not valid: it must be a single "
        "number; pass the mean over the batch."
    )
