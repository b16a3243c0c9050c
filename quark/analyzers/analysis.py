"""One analysis of a run from evidence to diagnoses and scores, kept nowhere yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quark.analyzers.health import HealthScore, health_scores
from quark.analyzers.judge import OnFault, judge
from quark.analyzers.root_cause import Diagnosis, diagnose
from quark.analyzers.rules import RULES

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.rule import Rule
    from quark.analyzers.thresholds import AnalyzerThresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What the rules make of a run."""

    diagnoses: tuple[Diagnosis, ...]
    scores: tuple[HealthScore, ...]


def analyze_evidence(
    evidence: RunEvidence,
    thresholds: AnalyzerThresholds,
    *,
    rules: Sequence[Rule] | None = None,
    live: bool = False,
    on_fault: OnFault | None = None,
) -> Analysis:
    """Judge a run: findings, put under their causes, and the scores that follow.

    ``rules`` are all that there are unless it names some; ``live`` leaves out what can be said at
    the end only; ``on_fault`` hears of rules that fail.
    """
    chosen = RULES if rules is None else rules
    findings = judge(evidence, thresholds, rules=chosen, live=live, on_fault=on_fault)
    by_id = {rule.rule_id: rule for rule in chosen}
    diagnoses = diagnose(findings, by_id, evidence.last_step)
    return Analysis(diagnoses=diagnoses, scores=health_scores(diagnoses))
