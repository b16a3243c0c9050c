"""Thresholds of the rules on losses, learning rates and values that are not finite."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class LossLimits:
    """Thresholds of the rules on losses, learning rates and values that are not finite."""

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)])
