"""What a rule says: a fact, what it probably means, on what evidence, and what to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing that was observed, beside the finding's own number."""

    source: str  # the metric, layer or parameter
    summary: str
    observed: float | None = None
    threshold: float | None = None
    step_range: tuple[int, int] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule's word on one subject.

    ``fact`` is what was observed, ``inference`` what it probably means; both are whole sentences.
    ``subject`` is the metric, layer or parameter that it is about, or empty for the whole run: a
    rule gives at most one finding a subject. ``onset_step`` is the first step at which it could be
    seen, by default where ``step_range`` begins.
    """

    rule_id: str
    severity: str
    fact: str
    inference: str
    observed: float | None = None
    threshold: float | None = None
    step_range: tuple[int, int] | None = None
    onset_step: int | None = None
    subject: str = ""
    source: str = ""  # what the number is of; by default the subject
    observations: tuple[Observation, ...] = ()
    advice: tuple[str, ...] = ()  # what to try here; by default the rule's own
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def onset(self) -> int | None:
        """The first step at which it could be seen; None if it is not tied to a step."""
        if self.onset_step is not None or self.step_range is None:
            return self.onset_step
        return self.step_range[0]


def severity_rank(severity: str) -> int:
    """Return 0 for ``info`` to 3 for ``critical``."""
    return SEVERITIES.index(severity)


def grade(
    observed: float,
    *,
    warning: float | None = None,
    error: float | None = None,
    critical: float | None = None,
    above: bool = False,
    falling: bool = False,
) -> tuple[str, float] | None:
    """Return the severity that ``observed`` has reached, and the threshold of that severity.

    Args:
        observed: What was seen; NaN reaches nothing.
        warning: Where ``warning`` begins; None if there is no such level. Likewise the others.
        above: A threshold has to be passed, not only reached.
        falling: Smaller is worse.

    >>> grade(30.0, warning=10.0, error=25.0, critical=50.0)
    ('error', 25.0)
    >>> grade(0.01, warning=0.05, error=0.001, falling=True)
    ('warning', 0.05)
    >>> grade(10.0, warning=10.0, above=True) is None
    True
    """
    for severity, threshold in (("critical", critical), ("error", error), ("warning", warning)):
        if threshold is None:
            continue
        distance = threshold - observed if falling else observed - threshold
        if distance > 0 or (distance == 0 and not above):
            return severity, threshold
    return None
