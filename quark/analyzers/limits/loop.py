"""Thresholds of the rules on the order of calls in the training loop."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLimits:
    """Thresholds of the rules on the order of calls in the training loop."""

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)])
