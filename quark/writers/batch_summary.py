"""Everything about the batches of a run at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from quark.records import BatchDiagnosticRecord
from quark.writers.batch_config import DataDiagnosticsConfig
from quark.writers.batch_results import DataDiagnosticsSummary
from quark.writers.batch_statistics import summary_of
from quark.writers.exposure import summarize_exposure
from quark.writers.hard_batches import find_hard_batches


def summarize(
    records: Sequence[BatchDiagnosticRecord],
    config: DataDiagnosticsConfig,
    hard_batch_limit: int | None,
) -> DataDiagnosticsSummary:
    """Return losses, lengths, exposure and hard batches of ``records``."""
    losses = np.fromiter((record.loss for record in records), np.float64, len(records))
    lengths = np.fromiter(
        chain.from_iterable(record.sequence_lengths or () for record in records), np.float64
    )
    exposure = summarize_exposure(records)
    return DataDiagnosticsSummary(
        batch_count=len(records),
        sample_count=exposure.sample_count,
        loss_summary=summary_of(losses) if len(losses) else None,
        sequence_length_summary=summary_of(lengths) if len(lengths) else None,
        exposure=exposure,
        hard_batches=find_hard_batches(records, config, hard_batch_limit),
    )
