"""Thresholds of the rules on what a run's batches are made of."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLimits:
    """Thresholds of the rules on what a run's batches are made of."""

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)])
