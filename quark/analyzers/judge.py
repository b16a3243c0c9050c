"""All rules over one run's evidence. A rule that fails says nothing; the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.rules import RULES

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.findings import Finding
    from quark.analyzers.rule import Rule
    from quark.analyzers.thresholds import AnalyzerThresholds

OnFault = Callable[[str, Exception], None]


def judge(
    evidence: RunEvidence,
    thresholds: AnalyzerThresholds,
    *,
    rules: Iterable[Rule] = RULES,
    live: bool = False,
    on_fault: OnFault | None = None,
) -> tuple[Finding, ...]:
    """Return what the rules find, in the order of the rules.

    Args:
        evidence: What is known of the run.
        thresholds: Where the rules begin to speak.
        rules: Which ones.
        live: Whether the run goes on: rules that make sense at its end only are left out.
        on_fault: Told of a rule that fails and why; without it, the failure is raised.
    """
    found: list[Finding] = []
    for rule in rules:
        if live and rule.at_end_only:
            continue
        try:
            with np.errstate(all="ignore"):  # what is not finite is part of the evidence
                found += rule.check(evidence, thresholds)
        except Exception as error:
            if on_fault is None:
                raise
            on_fault(rule.rule_id, error)
    return tuple(found)
