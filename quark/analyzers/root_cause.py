"""One alert for one cause: findings that another finding explains are listed under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quark.analyzers.findings import Finding, severity_rank
from quark.analyzers.rule import Rule

#: A consequence may be seen this share of the run before its cause: probes are far apart.
SLACK_RATIO = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A finding that nothing else explains, and what follows from it.

    ``severity`` is the worst of all of them; what is only worth knowing explains no warning.
    """

    finding: Finding
    rule: Rule
    severity: str
    consequences: tuple[Finding, ...] = ()


def diagnose(
    findings: Sequence[Finding], rules: Mapping[str, Rule], last_step: int | None = None
) -> tuple[Diagnosis, ...]:
    """Put findings under their causes; the worst comes first.

    A finding explains another if its rule says so and it was there no later, give or take a share
    of the run. Findings of one rule on several subjects become one: the worst, with the others
    under it.
    """
    order = {rule_id: place for place, rule_id in enumerate(rules)}
    slack = SLACK_RATIO * (last_step or 0)
    heads: dict[str, list[Finding]] = {}
    for finding in findings:
        heads.setdefault(finding.rule_id, []).append(finding)
    for same in heads.values():
        same.sort(key=lambda one: (-severity_rank(one.severity), _onset(one)))
    causes = _causes(heads, rules, order, slack)
    found = []
    for rule_id, (first, *rest) in heads.items():
        if rule_id in causes:
            continue
        below = [other for other, cause in causes.items() if cause == rule_id]
        consequences = [
            *rest,
            *(one for other in sorted(below, key=order.__getitem__) for one in heads[other]),
        ]
        worst = max((first, *consequences), key=lambda one: severity_rank(one.severity))
        found.append(
            Diagnosis(
                finding=first,
                rule=rules[rule_id],
                severity=worst.severity,
                consequences=tuple(consequences),
            )
        )
    found.sort(
        key=lambda one: (
            -severity_rank(one.severity),
            _onset(one.finding),
            order[one.finding.rule_id],
        )
    )
    return tuple(found)


def _causes(
    heads: Mapping[str, Sequence[Finding]],
    rules: Mapping[str, Rule],
    order: Mapping[str, int],
    slack: float,
) -> dict[str, str]:
    """Return, for each rule that is explained, the rule at the end of its chain of causes."""
    direct: dict[str, str] = {}
    for cause in sorted(heads, key=order.__getitem__):
        for other in rules[cause].explains:
            if other in heads and other != cause and other not in direct:
                weighty = severity_rank(heads[cause][0].severity) > 0
                trivial = severity_rank(heads[other][0].severity) == 0
                in_time = _first(heads[cause]) <= _first(heads[other]) + slack
                if (weighty or trivial) and in_time and not _leads_to(direct, cause, other):
                    direct[other] = cause
    return {rule_id: _root(direct, rule_id) for rule_id in direct}


def _leads_to(direct: Mapping[str, str], start: str, goal: str) -> bool:
    while start in direct:
        start = direct[start]
        if start == goal:
            return True
    return False


def _root(direct: Mapping[str, str], rule_id: str) -> str:
    while rule_id in direct:
        rule_id = direct[rule_id]
    return rule_id


def _first(findings: Sequence[Finding]) -> float:
    return min(_onset(one) for one in findings)


def _onset(finding: Finding) -> float:
    """What is tied to no step was there from the beginning."""
    return finding.onset or 0
