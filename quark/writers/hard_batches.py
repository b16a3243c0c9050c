"""Hard batches: those whose loss or longest sequence stands out from the rest.

Three rules on the loss and two on the longest sequence of a batch, all one-sided: what is *below*
the rest is not hard. A loss that is not finite always counts, and takes no part in the statistics,
which it would make meaningless. Losses fall during a training, so its first batches are always
among the hardest; compare what is comparable by choosing a range of steps or epochs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

import numpy as np

from quark.records import BatchDiagnosticRecord
from quark.writers.batch_config import DataDiagnosticsConfig
from quark.writers.batch_results import HardBatchFinding, OutlierReason
from quark.writers.batch_statistics import Numbers, Spread, spread_of


def find_hard_batches(
    records: Sequence[BatchDiagnosticRecord], config: DataDiagnosticsConfig, limit: int | None
) -> tuple[HardBatchFinding, ...]:
    """Return the hardest first: losses that are not finite by step, then by loss from above.

    Args:
        records: In the order in which they were logged, which decides between equals.
        config: The thresholds.
        limit: How many at most; None for all.
    """
    losses = np.array([record.loss for record in records], dtype=np.float64)
    longest = np.array(
        [max(record.sequence_lengths or (), default=math.nan) for record in records],
        dtype=np.float64,
    )
    of_losses = _spread(losses, config)
    of_lengths = _spread(longest, config)._replace(percentile=None)
    reasons = {
        place: found
        for place in _candidates(losses, of_losses, config)
        | _candidates(longest, of_lengths, config)
        if (
            found := (
                *_reasons("loss", float(losses[place]), of_losses, config),
                *_reasons("sequence_length", float(longest[place]), of_lengths, config),
            )
        )
    }
    for place in np.flatnonzero(~np.isfinite(losses)).tolist():
        non_finite = OutlierReason(rule="non_finite_loss", observed=float(losses[place]))
        reasons[place] = (non_finite, *reasons.get(place, ()))
    ordered = sorted(reasons, key=lambda place: _order(records[place], place))
    return tuple(
        _finding(rank, records[place], reasons[place], of_losses)
        for rank, place in enumerate(islice(ordered, limit), start=1)
    )


def _spread(values: Numbers, config: DataDiagnosticsConfig) -> Spread:
    finite = values[np.isfinite(values)]
    if len(finite) < config.min_batches_for_outlier_detection:
        return Spread()
    return spread_of(
        finite,
        iqr_multiplier=config.outlier_iqr_multiplier,
        percentile=config.hard_batch_percentile,
    )


def _candidates(values: Numbers, spread: Spread, config: DataDiagnosticsConfig) -> set[int]:
    """Return the places of those that may break a rule: above the lowest threshold."""
    lowest = [limit for limit in (spread.fence, spread.percentile) if limit is not None]
    if spread.mean is not None and spread.std is not None:
        # A little below, so that rounding decides in `_reasons` alone.
        lowest.append(spread.mean + spread.std * config.outlier_z_score_threshold * (1 - 1e-9))
    return set(np.flatnonzero(values > min(lowest)).tolist()) if lowest else set()


def _reasons(
    what: str, value: float, spread: Spread, config: DataDiagnosticsConfig
) -> list[OutlierReason]:
    if not math.isfinite(value):
        return []
    limits = (
        (f"{what}_z_score", _score(value, spread), config.outlier_z_score_threshold),
        (f"{what}_iqr", value, spread.fence),
        (f"{what}_percentile", value, spread.percentile),
    )
    return [
        OutlierReason(rule=rule, observed=observed, threshold=threshold)
        for rule, observed, threshold in limits
        if threshold is not None and observed > threshold
    ]


def _score(value: float, spread: Spread) -> float:
    if not spread.std or spread.mean is None:
        return 0.0
    return (value - spread.mean) / spread.std


def _order(record: BatchDiagnosticRecord, place: int) -> tuple[bool, float, bool, int, int]:
    is_finite = math.isfinite(record.loss)
    return (
        is_finite,
        -record.loss if is_finite else 0.0,
        record.step is None,
        record.step or 0,
        place,
    )


def _finding(
    rank: int,
    record: BatchDiagnosticRecord,
    reasons: tuple[OutlierReason, ...],
    of_losses: Spread,
) -> HardBatchFinding:
    return HardBatchFinding(
        rank=rank,
        score=_score(record.loss, of_losses) if math.isfinite(record.loss) else math.inf,
        loss=record.loss,
        reasons=reasons,
        step=record.step,
        epoch=record.epoch,
        batch_size=record.batch_size,
        sample_ids=record.sample_ids,
        class_counts=record.class_counts,
        max_sequence_length=max(record.sequence_lengths or (), default=None),
        record_id=record.id,
        metadata=record.metadata,
    )
