"""Where one phase of a training ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers
from quark.errors import SchemaValidationError


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseAnalyzerThresholds:
    """When a stretch of training is called what. The defaults are the SDK guide's.

    A *point* is a point of the curve as it is looked at: a logged one where a run logged at most
    twelve, else the median of a part of the run. A *window* is one point of twelve or fewer, and
    a twelfth of a longer run. Changes are relative to where a window begins; of an accuracy, to
    how far it is from 1.

    Attributes:
        initialization_points: How many points the training takes to settle in.
        rapid_learning_min_relative_change: Improvement in a window from which on it learns fast.
        stagnation_max_relative_change: Improvement in a window up to which it stands still.
        overfitting_min_gap: How far the validation is behind the training, relative to the
            training loss; for accuracies their difference.
        overfitting_min_train_relative_change: How much the training has improved since the best
            validation; for accuracies the difference.
        overfitting_min_validation_regression: How much worse the validation is than its best; for
            accuracies the difference.
        divergence_min_relative_regression: How much worse the training is than the best of the
            last quarter of the run; of an accuracy, relative to itself.
        divergence_from_best_ratio: How much worse it is than its best so far.

    Raises:
        SchemaValidationError: A threshold is no finite number of 0 or more, or fast learning would
            begin where standing still has not ended.

    >>> PhaseAnalyzerThresholds(initialization_points=3).overfitting_min_gap
    0.12
    """

    initialization_points: int = 2
    rapid_learning_min_relative_change: float = 0.18
    stagnation_max_relative_change: float = 0.01
    overfitting_min_gap: float = 0.12
    overfitting_min_train_relative_change: float = 0.015
    overfitting_min_validation_regression: float = 0.015
    divergence_min_relative_regression: float = 0.15
    divergence_from_best_ratio: float = 0.25

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)])
        if self.initialization_points != int(self.initialization_points):
            raise SchemaValidationError(
                f"Threshold initialization_points is {self.initialization_points!r}, but must be "
                "a whole number."
            )
        if self.rapid_learning_min_relative_change <= self.stagnation_max_relative_change:
            raise SchemaValidationError(
                f"Threshold rapid_learning_min_relative_change is "
                f"{self.rapid_learning_min_relative_change!r}, but must be above "
                f"stagnation_max_relative_change, which is "
                f"{self.stagnation_max_relative_change!r}."
            )
