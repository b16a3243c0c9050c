"""The settings of data diagnostics."""

from __future__ import annotations

import math
from dataclasses import dataclass

from quark.errors import SchemaValidationError
from quark.writers.batch_metadata import BatchMetadataAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDiagnosticsConfig:
    """How batches are read, buffered and judged.

    Args:
        batch_size: After how many records the store is asked to take them.
        adapter: Reads what a batch is made of; without one, batches are not looked into.
        outlier_z_score_threshold: How many standard deviations above the mean a batch's loss, or
            its longest sequence, is an outlier.
        outlier_iqr_multiplier: How many interquartile ranges above the third quartile it is.
            Tukey's fence is 1.5.
        hard_batch_percentile: The share of batches below the high-loss threshold, from 0 to 1.
        min_batches_for_outlier_detection: With fewer, only losses that are not finite are found.

    Raises:
        SchemaValidationError: A value breaks a rule.
    """

    batch_size: int = 100
    adapter: BatchMetadataAdapter | None = None
    outlier_z_score_threshold: float = 2.5
    outlier_iqr_multiplier: float = 1.5
    hard_batch_percentile: float = 0.9
    min_batches_for_outlier_detection: int = 5

    def __post_init__(self) -> None:
        for name in ("batch_size", "min_batches_for_outlier_detection"):
            count = getattr(self, name)
            if type(count) is not int or count < 1:
                raise SchemaValidationError(
                    f"{name} {count!r} is not valid: it must be an integer of 1 or more."
                )
        for name in ("outlier_z_score_threshold", "outlier_iqr_multiplier"):
            number = getattr(self, name)
            if not _is_number(number) or not (0 < number < math.inf):
                raise SchemaValidationError(
                    f"{name} {number!r} is not valid: it must be a finite number above 0."
                )
        share = self.hard_batch_percentile
        if not _is_number(share) or not 0 < share < 1:
            raise SchemaValidationError(
                f"hard_batch_percentile {share!r} is not valid: it must be between 0 and 1, such "
                "as 0.9 for the tenth with the highest loss."
            )
        if self.adapter is not None and not isinstance(self.adapter, BatchMetadataAdapter):
            raise SchemaValidationError(
                f"adapter {self.adapter!r} is not valid: it must have a method "
                "extract_batch_metadata(batch); pass an object, not its class."
            )
        if isinstance(self.adapter, type):
            raise SchemaValidationError(
                f"adapter {self.adapter.__name__} is a class; pass an object: "
                f"{self.adapter.__name__}()."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
