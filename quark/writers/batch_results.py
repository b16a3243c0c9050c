"""What data diagnostics answer with. Data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from quark import jsonio


class _Answer:
    """Something that can be shown as plain values."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain dicts, lists, strings, numbers, booleans and None."""
        return {item.name: jsonio.to_plain(getattr(self, item.name)) for item in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionSummary(_Answer):
    """Where numbers lie. All but the counts are over finite ones, and None if there are none.

    ``std`` is that of the whole population. ``quantiles`` maps ``p05``, ``p25``, ``p75``, ``p90``,
    ``p95`` and ``p99`` to values, interpolated linearly between neighbours.
    """

    count: int  # of finite numbers
    non_finite_count: int = 0
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    median: float | None = None
    quantiles: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierReason(_Answer):
    """A rule that a batch broke.

    ``rule`` is ``non_finite_loss``, ``loss_z_score``, ``loss_iqr``, ``loss_percentile``,
    ``sequence_length_z_score`` or ``sequence_length_iqr``. ``observed`` is above ``threshold``,
    in standard deviations for z-scores, otherwise in the units of the loss or of the lengths.
    """

    rule: str
    observed: float
    threshold: float | None = None  # None for a loss that is not finite


@dataclass(frozen=True, slots=True, kw_only=True)
class HardBatchFinding(_Answer):
    """A batch that stands out, and why.

    ``score`` says how far its loss is above the mean, in standard deviations: 0 where all losses
    are equal, infinite for one that is not finite. ``rank`` counts from 1, the hardest.
    """

    rank: int
    score: float
    loss: float
    reasons: tuple[OutlierReason, ...]
    step: int | None = None
    epoch: int | None = None
    batch_size: int | None = None
    sample_ids: tuple[str, ...] | None = None
    class_counts: Mapping[str, int] | None = None
    max_sequence_length: int | None = None
    record_id: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleExposure(_Answer):
    """How often a sample was in a batch."""

    sample_id: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochExposure(_Answer):
    """What one epoch saw. ``coverage_ratio`` is its share of all samples that are known by id.

    ``repeat_count`` is how often a sample came again within the epoch.
    """

    epoch: int
    batch_count: int
    sample_count: int
    distinct_sample_count: int
    repeat_count: int
    coverage_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureSummary(_Answer):
    """What the model was shown, by class and by sample.

    ``class_counts`` is sorted by count, the most frequent first; ``class_ratios`` are shares of all
    that was counted. ``imbalance_ratio`` is the most frequent class's count over the rarest's, None
    with fewer than two classes. ``repeated_samples`` are the most often seen, at most ten.
    """

    batch_count: int
    sample_count: int  # over batches whose size is known
    class_counts: Mapping[str, int]
    class_ratios: Mapping[str, float]
    imbalance_ratio: float | None = None
    distinct_sample_count: int
    repeated_sample_count: int
    repeated_samples: tuple[SampleExposure, ...]
    epochs: tuple[EpochExposure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDiagnosticsSummary(_Answer):
    """Everything that is known of the batches of a run, or of a range of it."""

    batch_count: int
    sample_count: int
    loss_summary: DistributionSummary | None = None  # None without batches
    sequence_length_summary: DistributionSummary | None = None  # over all sequences
    exposure: ExposureSummary
    hard_batches: tuple[HardBatchFinding, ...]
