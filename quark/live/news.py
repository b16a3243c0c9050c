"""Which diagnoses are news: not told before, and not gone again with the next judgement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quark.analyzers.findings import Finding, severity_rank

if TYPE_CHECKING:
    from quark.analyzers.root_cause import Diagnosis

#: Alerts of one rule in one run, at most: a rule may find ever new subjects.
MAX_TOLD = 4
_WARNING = severity_rank("warning")
_CRITICAL = severity_rank("critical")


class News:
    """Remembers what was seen and told of one run.

    A diagnosis is news if it is a warning or worse, its rule has spoken in the judgement before
    too, of fewer rows (unless it is critical), and neither it nor a cause of it was told with that
    severity.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}  # by rule, at how many rows
        self._told: dict[tuple[str, str], int] = {}
        self._told_count: dict[str, int] = {}

    def take(
        self, diagnoses: Sequence[Diagnosis], row_count: int, *, in_part: bool = False
    ) -> list[Diagnosis]:
        """Return what of a judgement is news, and take it as told.

        Args:
            diagnoses: What the rules say.
            row_count: How many rows the run had by then.
            in_part: Whether some of the rules were asked only, so that the silence of the others
                means nothing.
        """
        serious = [one for one in diagnoses if severity_rank(one.severity) >= _WARNING]
        fresh = [one for one in serious if self._is_news(one, row_count)]
        for one in fresh:
            self._tell(one)
        before = self._seen
        seen = {one.rule.rule_id: before.get(one.rule.rule_id, row_count) for one in serious}
        self._seen = {**before, **seen} if in_part else seen
        return fresh

    def _is_news(self, one: Diagnosis, row_count: int) -> bool:
        rule_id, rank = one.rule.rule_id, severity_rank(one.severity)
        if rank < _CRITICAL and self._seen.get(rule_id, row_count) >= row_count:
            return False
        if self._told_count.get(rule_id, 0) >= MAX_TOLD:
            return False
        return rank > self._told.get(_key(one.finding), -1)

    def _tell(self, one: Diagnosis) -> None:
        rule_id = one.rule.rule_id
        self._told_count[rule_id] = self._told_count.get(rule_id, 0) + 1
        self._told[_key(one.finding)] = severity_rank(one.severity)
        for below in one.consequences:
            rank = severity_rank(below.severity)
            self._told[_key(below)] = max(rank, self._told.get(_key(below), -1))


def _key(finding: Finding) -> tuple[str, str]:
    return finding.rule_id, finding.subject
