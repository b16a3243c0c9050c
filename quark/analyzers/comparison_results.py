"""What a comparison of two runs answers with. Data alone.

*Primary* is the run that is looked at, *reference* the one it is held against. A difference is
always the primary's number less the reference's. A number that was not measured is None; NaN is
one that was, and is worse than any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.records import RunRecord

DIRECTIONS = ("at_least", "at_most")


class Answer:
    """Something that can be shown as plain values."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain dicts, lists, strings, numbers, booleans and None."""
        return {
            item.name: _plain(getattr(self, item.name))
            for item in fields(self)  # type: ignore[arg-type]
        }


@dataclass(frozen=True, slots=True)
class MetricTargetSpec:
    """A value that a metric is to reach.

    Args:
        metric_key: The metric.
        target_value: The value.
        direction: ``at_least`` where more is better, ``at_most`` where less is.

    Raises:
        SchemaValidationError: An argument is not what it must be.

    >>> MetricTargetSpec("val/loss", 0.5, "at_most").is_reached_by(0.5)
    True
    """

    metric_key: str
    target_value: float
    direction: str = "at_least"

    def __post_init__(self) -> None:
        if not isinstance(self.metric_key, str) or not self.metric_key:
            raise SchemaValidationError(
                f"metric_key is {self.metric_key!r}, but must be a metric key such as 'val/loss'."
            )
        value = self.target_value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            raise SchemaValidationError(
                f"target_value of {self.metric_key!r} is {value!r}, but must be a number."
            )
        if self.direction not in DIRECTIONS:
            raise SchemaValidationError(
                f"direction of {self.metric_key!r} is {self.direction!r}, but must be 'at_least' "
                "or 'at_most'."
            )

    def is_reached_by(self, value: float) -> bool:
        """Say whether ``value`` is as good as the target; NaN never is."""
        if self.direction == "at_least":
            return value >= self.target_value
        return value <= self.target_value

    def to_dict(self) -> dict[str, Any]:
        """Return it as a plain dict."""
        return {item.name: jsonio.to_plain(getattr(self, item.name)) for item in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary(Answer):
    """One metric over one run.

    ``last`` is the value at the highest step, finite or not. ``mean``, ``min``, ``max`` and
    ``best`` are over finite values: None if there are none; ``best`` also where nothing says
    whether more or less is better. Steps are None where the metric was logged without any.
    """

    count: int
    nonfinite_count: int = 0
    first_step: int | None = None
    last_step: int | None = None
    last: float
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    best: float | None = None
    best_step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Answer):
    """One number of both runs. ``relative`` is the difference over the size of the reference's.

    Both are None where one is not known, and ``relative`` where the reference is 0.
    """

    primary: float | None = None
    reference: float | None = None
    absolute: float | None = None
    relative: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeToTarget(Answer):
    """The first step at which each run reached a target; None if it never did.

    ``difference`` is None unless both did: below 0, the primary was first.
    """

    target_value: float
    direction: str
    primary: int | None = None
    reference: int | None = None
    difference: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDiff(Answer):
    """One metric in both runs.

    ``presence`` is ``both``, ``primary`` or ``reference``: who logged it. ``direction`` is
    ``at_least`` where more is better, ``at_most`` where less is, None where nobody knows; with it,
    ``better`` says whose last value is better (``primary``, ``reference`` or ``equal``), and
    ``better_at_best`` whose best is.
    """

    metric_key: str
    presence: str
    direction: str | None = None
    better: str | None = None
    better_at_best: str | None = None
    primary: MetricSummary | None = None
    reference: MetricSummary | None = None
    last: Difference = field(default_factory=Difference)
    best: Difference = field(default_factory=Difference)
    mean: Difference = field(default_factory=Difference)
    count_difference: int = 0
    last_step_difference: int | None = None
    time_to_target_step: TimeToTarget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange(Answer):
    """One thing that is wrong with one of the runs, or with both.

    The severity is None for the run that does not have it.
    """

    rule_id: str
    subject: str
    category: str
    title: str
    primary_severity: str | None = None
    reference_severity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDiff(Answer):
    """What is wrong with the primary run alone, with the reference alone, and with both.

    Alerts are the same if their rule and their subject are. The worst come first.
    """

    added: tuple[AlertChange, ...] = ()
    resolved: tuple[AlertChange, ...] = ()
    common: tuple[AlertChange, ...] = ()
    primary_severity_counts: Mapping[str, int] = field(default_factory=dict)
    reference_severity_counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDiff(Answer):
    """How long both runs were in a phase, in steps, and in how many stretches.

    ``primary_ratio`` and ``reference_ratio`` are shares of all steps that are in a phase.
    """

    phase_name: str
    display_name: str
    primary_count: int = 0
    reference_count: int = 0
    primary_steps: int = 0
    reference_steps: int = 0
    difference_steps: int = 0
    primary_ratio: float | None = None
    reference_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSummaryDiff(Answer):
    """One layer's activations, or gradients, in both runs: means over all of its probes."""

    module_name: str
    module_type: str
    summary_type: str
    presence: str
    primary_probe_count: int = 0
    reference_probe_count: int = 0
    mean_norm: Difference = field(default_factory=Difference)
    mean_std: Difference = field(default_factory=Difference)
    mean_dead_unit_ratio: Difference = field(default_factory=Difference)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparisonResult(Answer):
    """Two runs side by side.

    ``mode`` is ``baseline`` where the reference is what the primary is to be as good as, else
    ``pairwise``. Diffs are in the order of their keys, phases in that of a training.
    """

    schema_version: int
    generated_at: str
    mode: str
    primary: RunRecord
    reference: RunRecord
    metric_diffs: tuple[MetricDiff, ...] = ()
    alert_diff: AlertDiff = field(default_factory=AlertDiff)
    phase_diffs: tuple[PhaseDiff, ...] = ()
    layer_summary_diffs: tuple[LayerSummaryDiff, ...] = ()

    def metric(self, metric_key: str) -> MetricDiff | None:
        """Return the diff of one metric, None if neither run logged it."""
        return next((one for one in self.metric_diffs if one.metric_key == metric_key), None)


def _plain(value: Any) -> Any:
    if isinstance(value, (Answer, RunRecord)):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return jsonio.to_plain(value)
