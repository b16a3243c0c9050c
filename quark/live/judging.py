"""One run's judgement while it goes on: its evidence so far, the rules, and what of it is news.

This loads the rules and numpy, so it is imported when there is something to judge, on the thread
that judges.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from quark.analyzers.analysis import analyze_evidence
from quark.analyzers.engine import AnalyzerEngineConfig
from quark.analyzers.rules import RULES
from quark.live.evidence import LiveEvidence
from quark.live.news import News

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.root_cause import Diagnosis
    from quark.analyzers.rule import Rule
    from quark.session import TrainingSession
    from quark.storage.batch import Batch

#: What is asked at once when a value is not finite.
URGENT_RULES = ("non_finite_values",)


class LiveJudge:
    """Judges ``session``'s run by what it is fed. For one thread at a time."""

    def __init__(
        self,
        session: TrainingSession,
        rules: Sequence[Rule] | None = None,
        config: AnalyzerEngineConfig | None = None,
    ) -> None:
        self._config = config or AnalyzerEngineConfig()
        self._rules = tuple(RULES if rules is None else rules)
        self._evidence = LiveEvidence(self._config.overrides, session.handle.journal.meta.rank)
        self._news = News()

    @property
    def skipped_probe_count(self) -> int:
        """Probes that were not looked at, to keep within the budget."""
        return self._evidence.skipped_probe_count

    def feed(self, batch: Batch, may_take: Callable[[], bool]) -> None:
        """Take what is being shipped; ``may_take`` is asked before each probe of layers."""
        self._evidence.add(batch, may_take)

    def judge(
        self, session: TrainingSession, row_count: int, only: Collection[str] | None = None
    ) -> tuple[RunEvidence, list[Diagnosis]]:
        """Ask the rules, or ``only`` some, at ``row_count``; return the evidence and what is
        news."""
        run = session.context.run
        evidence = self._evidence.build(
            run, resumed_us=session.opened_us if run.resume_count else None
        )
        analysis = analyze_evidence(
            evidence,
            self._config.thresholds,
            rules=[one for one in self._rules if only is None or one.rule_id in only],
            live=True,
            on_fault=lambda rule_id, error: session.handle.faults.record(
                f"rule {rule_id} failed", error, strict=False
            ),
        )
        return evidence, self._news.take(analysis.diagnoses, row_count, in_part=only is not None)
