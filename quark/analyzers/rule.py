"""What a rule is: an id, what it is about, and a pure function from evidence to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.findings import Finding
    from quark.analyzers.thresholds import AnalyzerThresholds

    Check = Callable[[RunEvidence, AnalyzerThresholds], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that may be wrong with a training.

    ``explains`` names the rules whose findings are consequences where this one speaks: they are
    listed under its alert. ``at_end_only`` rules make no sense while the run goes on.
    """

    rule_id: str
    category: str  # "optimization", "representation", "generalization" or "runtime"
    title: str
    check: Check
    advice: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    at_end_only: bool = False
