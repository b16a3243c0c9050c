"""What a candidate is held to: bands around past runs, and assertions. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.comparison_results import Answer
from quark.analyzers.shapes import spread
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.analyzers.evidence import MetricSeries

BAND_DIRECTIONS = ("at_least", "at_most", "within")
STATISTICS = ("last", "best", "min", "max", "mean", "mean_of_last")

#: From so many past runs on, a band is told from their middle and width, not from the extremes.
ROBUST_BASELINES = 8
#: How many standard deviations, and how much more for few runs, from whose middle and width both
#: are only roughly known. Of normally distributed runs, one in 400 is above the band that eight to
#: ten others make, one in 2,000 above that of twenty (simulated).
ROBUST_DEVIATIONS = 4.0
_MORE_FOR_FEW = 6.0
DEFAULT_TOLERANCE_RATIO = 0.05

_ASSERTION = re.compile(
    r"\s*(?:(?P<statistic>last|best|min|max|mean)\((?P<inside>[^()]+)\)|(?P<key>[^<>!]*?))"
    r"\s*(?P<comparison><=|>=|==|!=|<|>)\s*(?P<value>[^<>=!]+?)\s*"
)
_COMPARISONS = {
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a == a and a != b,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricBand(Answer):
    """Where one metric of a candidate must lie, relative to past runs.

    The band reaches from the lowest to the highest past value, or, of eight and more runs, seven
    standard deviations (told from their median absolute deviation; down to four the more runs there
    are) to both sides of their median.
    It is widened, or at least as wide to each side, by the tolerances: ``tolerance_ratio`` of the
    value that is widened, plus ``tolerance`` in the metric's own unit.

    Attributes:
        metric_key: The metric.
        direction: ``at_most``: only a value above the band fails; ``at_least``: only one below;
            ``within``: both. None: as the metric's name says, else ``within``.
        tolerance_ratio: Share of the value, 0 or more.
        tolerance: In the unit of the metric, 0 or more.
        statistic: What is compared of each run: ``last``, ``best`` (by the direction), ``min``,
            ``max``, ``mean``, or ``mean_of_last``.
        last_count: How many of the last points ``mean_of_last`` is over.

    Raises:
        SchemaValidationError: A field is not what it must be.

    >>> MetricBand(metric_key="val/loss", direction="at_most").bounds([0.25, 0.5])
    (None, 0.525)
    """

    metric_key: str
    direction: str | None = None
    tolerance_ratio: float = DEFAULT_TOLERANCE_RATIO
    tolerance: float = 0.0
    statistic: str = "last"
    last_count: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.metric_key, str) or not self.metric_key:
            raise SchemaValidationError(
                f"metric_key is {self.metric_key!r}, but must be a metric key such as 'val/loss'."
            )
        if self.direction is not None and self.direction not in BAND_DIRECTIONS:
            raise SchemaValidationError(
                f"direction of {self.metric_key!r} is {self.direction!r}, but must be one of "
                f"{', '.join(BAND_DIRECTIONS)}, or None."
            )
        if self.statistic not in STATISTICS:
            raise SchemaValidationError(
                f"statistic of {self.metric_key!r} is {self.statistic!r}, but must be one of "
                f"{', '.join(STATISTICS)}."
            )
        for name in ("tolerance_ratio", "tolerance"):
            value = getattr(self, name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or value < 0:
                raise SchemaValidationError(
                    f"{name} of {self.metric_key!r} is {value!r}, but must be a finite number of "
                    "0 or more."
                )
        count = self.last_count
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise SchemaValidationError(
                f"last_count of {self.metric_key!r} is {count!r}, but must be a whole number of 1 "
                "or more."
            )

    def bounds(self, values: Sequence[float]) -> tuple[float | None, float | None]:
        """Return the lowest and the highest value that passes; None where there is no bound.

        ``values`` are the past runs', finite and at least one.
        """
        past = np.asarray(values, np.float64)
        low, high = float(past.min()), float(past.max())
        width = 0.0
        if len(past) >= ROBUST_BASELINES:
            low = high = float(np.median(past))
            width = ROBUST_DEVIATIONS * (1 + _MORE_FOR_FEW / len(past)) * spread(past)
        lower = low - max(width, self.tolerance_ratio * abs(low)) - self.tolerance
        upper = high + max(width, self.tolerance_ratio * abs(high)) + self.tolerance
        return (
            None if self.direction == "at_most" else lower,
            None if self.direction == "at_least" else upper,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAssertion(Answer):
    """What one metric of a candidate must be, whatever past runs were.

    >>> parse_assertion("best(val/accuracy) >= 0.9").is_met_by(0.91)
    True
    """

    metric_key: str
    comparison: str
    value: float
    statistic: str = "last"

    def is_met_by(self, observed: float) -> bool:
        """Say whether ``observed`` is as it must be; NaN never is."""
        return bool(_COMPARISONS[self.comparison](observed, self.value))

    @property
    def text(self) -> str:
        """The assertion as it is written."""
        key = (
            self.metric_key if self.statistic == "last" else f"{self.statistic}({self.metric_key})"
        )
        return f"{key} {self.comparison} {self.value:g}"


def parse_assertion(text: str) -> GateAssertion:
    """Read an assertion such as ``val/loss<=0.3`` or ``min(val/loss) < 0.25``.

    Before the comparison stands a metric, of which the last value counts, or ``last``, ``best``,
    ``min``, ``max`` or ``mean`` of it. Comparisons are ``<=``, ``>=``, ``<``, ``>``, ``==`` and
    ``!=``.

    Raises:
        SchemaValidationError: ``text`` is no assertion.

    >>> parse_assertion("val/loss<=0.3").text
    'val/loss <= 0.3'
    """
    match = _ASSERTION.fullmatch(text) if isinstance(text, str) else None
    try:
        value = float(match["value"]) if match else math.nan
    except ValueError:
        value = math.nan
    key = (match["inside"] or match["key"] or "").strip() if match else ""
    if match is None or not key or key[-1] in "<>=!" or math.isnan(value):
        raise SchemaValidationError(
            f"{text!r} is no assertion: write a metric, one of <= >= < > == !=, and a number, such "
            "as 'val/loss<=0.3' or 'max(val/accuracy)>=0.9'."
        )
    return GateAssertion(
        metric_key=key,
        comparison=match["comparison"],
        value=value,
        statistic=match["statistic"] or "last",
    )


def statistic_of(
    series: MetricSeries, statistic: str, direction: str | None, last_count: int = 10
) -> float | None:
    """Return what is compared of a run.

    NaN and infinities count: with one among what is averaged the mean is none either, and a last
    value may be NaN. ``min``, ``max`` and ``best`` are over finite values, None if there are none.
    ``best`` of a metric of which nobody knows whether more is better is the last value.
    """
    if not len(series):
        return None
    if statistic == "best":
        statistic = {"at_least": "max", "at_most": "min"}.get(direction or "", "last")
    if statistic == "last":
        return float(series.value[-1])
    if statistic in ("mean", "mean_of_last"):
        values = series.value if statistic == "mean" else series.value[-last_count:]
        with np.errstate(invalid="ignore", over="ignore"):
            return float(values.mean())
    finite = series.finite().value
    if not len(finite):
        return None
    return float(finite.min() if statistic == "min" else finite.max())
