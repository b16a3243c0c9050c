"""Thresholds of the rules on what a run's batches are made of."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLimits:
    """Thresholds of the rules on what a run's batches are made of.

    Args:
        hard_batch_min_batches: Batches with a loss that are needed.
        hard_batch_noise: A hard batch's loss is so many times the noise above its neighbours'.
        hard_batch_ratio: And so many times theirs.
        hard_batch_max_share: A greater share of batches is no exception but how this loss is.
        hard_batch_nonfinite_share: Where a greater share of losses is not finite, training is
            broken and no batch to blame.
        duplicate_min_exposures: Sample ids that must have been seen, with repetitions.
        duplicate_min_ids: Different ones among them.
        duplicate_skew: The most seen samples are seen so many times as often as the average.
        duplicate_share: Share of all that was seen that the most seen samples make up.
        duplicate_epoch_ratio: How often a sample is seen in an epoch, on average.
        padding_min_batches: Batches with lengths that are needed.
        padding_info_ratio: Share of padding; likewise ``warning`` and ``error``.
    """

    hard_batch_min_batches: int = 20
    hard_batch_noise: float = 8.0
    hard_batch_ratio: float = 2.0
    hard_batch_max_share: float = 0.05
    hard_batch_nonfinite_share: float = 0.5
    duplicate_min_exposures: int = 500
    duplicate_min_ids: int = 50
    duplicate_skew: float = 10.0
    duplicate_share: float = 0.2
    duplicate_epoch_ratio: float = 2.0
    padding_min_batches: int = 20
    padding_info_ratio: float = 0.5
    padding_warning_ratio: float = 0.75
    padding_error_ratio: float = 0.9

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)])
