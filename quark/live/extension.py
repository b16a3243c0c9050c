"""The rules while a run goes on: an extension of its session.

Batches are only put aside at first. The rules and numpy's part of them are loaded at the first
judgement, on the thread that delivers, so that a short run pays for none of it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK, Clock
from quark.live.budget import Budget, own_cpu_seconds
from quark.live.config import LiveConfig
from quark.live.reactions import Reaction
from quark.live.stopping import GATE, withdraw
from quark.live.trouble import bad_sources

if TYPE_CHECKING:
    from quark.analyzers.engine import AnalyzerEngineConfig
    from quark.analyzers.rule import Rule
    from quark.live.judging import LiveJudge
    from quark.records import AlertRecord
    from quark.session import TrainingSession
    from quark.storage.batch import Batch

#: What is put aside before the first judgement, at most.
MAX_EARLY_POINTS = 500_000
MAX_EARLY_RECORDS = 20_000
#: Of the budget, what may go into decoding probes, so that there is something left to judge them.
PROBE_SHARE = 0.5
#: Judgements of a value that is not finite that may come whatever the budget says, and in all.
FREE_URGENT, MAX_URGENT = 3, 50

_followed: weakref.WeakKeyDictionary[TrainingSession, LiveRules] = weakref.WeakKeyDictionary()


class LiveRules:
    """Judges one run by what is just being shipped, and tells of what is new.

    Args:
        rules: All that there are, by default.
        config: When to judge, and what it may take.
        clock: What tells how much time has passed.
        meter: What tells how much of it the calling thread has used.
    """

    def __init__(
        self,
        *,
        rules: Sequence[Rule] | None = None,
        config: LiveConfig | None = None,
        clock: Clock = SYSTEM_CLOCK,
        meter: Callable[[], float] = own_cpu_seconds,
    ) -> None:
        self._rules = rules
        self._config = config or LiveConfig()
        self._clock = clock
        self._budget = Budget(self._config.time_share, clock, meter)
        self._probes = Budget(self._config.time_share, clock, meter)
        self._lock = threading.RLock()  # the training's thread changes the reaction and ends it all
        self._pid = os.getpid()
        self._reaction = Reaction()
        self._engine_config: AnalyzerEngineConfig | None = None
        self._gate_open = False
        self._ended = False
        self._asked = False
        self._early: list[Batch] = []
        self._early_size = [0, 0]
        self._judge: LiveJudge | None = None
        self._row_count = 0
        self._judged_row_count = 0
        self._judged_seconds = 0.0
        self._last_cost_seconds = 0.0
        self._bad_batch_counts: dict[str, int] = {}
        self._said: set[str] = set()
        self._urgent_count = 0
        self.judged_count = 0
        self.alert_count = 0

    # -- the session's calls -------------------------------------------------------------------

    def on_start(self, session: TrainingSession) -> None:
        """Follow ``session`` as its settings have it."""
        _followed[session] = self
        self.react(Reaction(action=session.handle.settings.on_alert))

    def on_batch(self, session: TrainingSession, batch: Batch) -> None:
        """Take what is being shipped, and ask for a judgement where one is due."""
        if os.getpid() != self._pid:
            return  # a forked child has a part of the run only, and locks that nobody will open
        with self._lock:
            if self._ended:
                return
            with self._budget.spending():
                self._row_count += _rows(batch)
                is_troubled = self._notes_trouble(bad_sources(batch))
                self._take(session, batch)
            if self._asked:
                return  # what is asked for sees this batch too
            urgent = is_troubled and self._may_hurry()
            if not urgent and not self._is_due():
                return
            self._asked = True
        session.handle.add_chore(partial(self._work, session, urgent=urgent))

    def on_end(self, session: TrainingSession, status: str) -> None:
        """Judge no more, and keep what it took."""
        with self._lock:
            self._ended = True
            self.react(Reaction(action="record"))
            withdraw(session.run_id)
            if self.judged_count:
                self._summarise(session)
            self._early.clear()
            self._judge = None

    # -- what is asked of it -------------------------------------------------------------------

    def react(self, reaction: Reaction, config: AnalyzerEngineConfig | None = None) -> None:
        """Do ``reaction`` on alerts from now on; judge with ``config``, if that is given and
        nothing has been judged."""
        with self._lock:
            self._reaction = reaction
            self._engine_config = config or self._engine_config
            needs_gate = reaction.action == "stop" and not self._ended
            if needs_gate != self._gate_open:
                self._gate_open = needs_gate
                (GATE.open if needs_gate else GATE.close)()

    @property
    def reaction(self) -> Reaction:
        """What follows an alert."""
        return self._reaction

    # -- on the shipper's thread ---------------------------------------------------------------

    def _take(self, session: TrainingSession, batch: Batch) -> None:
        if self._judge is not None:
            self._feed(self._judge, batch)
            return
        self._early.append(batch)
        self._early_size[0] += batch.point_count
        self._early_size[1] += len(batch.records)
        if self._early_size[0] > MAX_EARLY_POINTS or self._early_size[1] > MAX_EARLY_RECORDS:
            self._load(session)

    def _feed(self, judge: LiveJudge, batch: Batch) -> None:
        with self._probes.spending():
            judge.feed(batch, partial(self._probes.has_room, of_share=PROBE_SHARE))

    def _load(self, session: TrainingSession) -> LiveJudge:
        if self._judge is None:
            from quark.live.judging import LiveJudge  # rules and numpy: not for a short run

            self._judge = LiveJudge(session, self._rules, self._engine_config)
            early, self._early = self._early, []
            for batch in early:
                self._feed(self._judge, batch)
        return self._judge

    def _is_due(self) -> bool:
        elapsed, rows = self._budget.elapsed_seconds, self._row_count
        if elapsed < self._config.first_seconds or rows < self._config.first_row_count:
            return False
        if not self._judged_row_count:
            return True
        if not self._budget.has_room(self._last_cost_seconds):
            return False
        if rows > self._judged_row_count * (1 + self._config.growth_ratio):
            return True
        idle = elapsed - self._judged_seconds >= self._config.idle_seconds
        return idle and rows > self._judged_row_count

    def _notes_trouble(self, sources: set[str]) -> bool:
        """Count bad batches; say whether one of ``sources`` has had 1, 2, 4, 8 and so on of them:
        one alone need not be a fault."""
        found = False
        for source in sources:
            count = self._bad_batch_counts[source] = self._bad_batch_counts.get(source, 0) + 1
            found = found or count & (count - 1) == 0
        return found

    def _may_hurry(self) -> bool:
        self._urgent_count += 1
        if self._urgent_count <= FREE_URGENT:
            return True
        return self._urgent_count <= MAX_URGENT and self._budget.has_room(self._last_cost_seconds)

    def _work(self, session: TrainingSession, *, urgent: bool) -> None:
        with self._lock:
            self._asked = False
            if self._ended:
                return
            with self._budget.spending():
                judge = self._load(session)
            before = self._budget.spent_seconds
            try:
                with self._budget.spending():
                    alerts = self._judge_now(session, judge, urgent=urgent)
            finally:
                self.judged_count += 1
                if not urgent:
                    self._judged_row_count = self._row_count
                    self._judged_seconds = self._budget.elapsed_seconds
                    self._last_cost_seconds = self._budget.spent_seconds - before
            reaction = self._reaction
        if alerts:
            from quark.live.telling import call_listeners

            for alert in alerts:
                call_listeners(session, reaction, alert)

    def _judge_now(
        self, session: TrainingSession, judge: LiveJudge, *, urgent: bool
    ) -> tuple[AlertRecord, ...]:
        only = None
        if urgent:
            from quark.live.judging import URGENT_RULES

            only = URGENT_RULES
        evidence, news = judge.judge(session, self._row_count, only)
        if not news:
            return ()
        from quark.live.telling import keep_alerts, say_alert, stop_training

        alerts = keep_alerts(session, news)
        self.alert_count += len(alerts)
        for alert in alerts:
            if self._reaction.stops(alert.severity):
                stop_training(session, alert, evidence)
            if self._reaction.action != "record" and alert.rule_id not in self._said:
                self._said.add(alert.rule_id)
                say_alert(session, alert)
        return alerts

    def _summarise(self, session: TrainingSession) -> None:
        from quark.records import EventRecord

        session.handle.emit(
            EventRecord,
            event_type="live_rules_summary",
            severity="info",
            payload={
                "judged_count": self.judged_count,
                "alert_count": self.alert_count,
                "seconds": round(self._budget.spent_seconds, 6),
                "share_of_wall_time": round(self._budget.spent_share, 6),
                "skipped_probe_count": self._judge.skipped_probe_count if self._judge else 0,
            },
        )


def rules_following(session: TrainingSession) -> LiveRules | None:
    """Return what judges the run of ``session`` while it goes on; None if nothing does."""
    return _followed.get(session)


def _rows(batch: Batch) -> int:
    """Return how much the run has gone on: rows of points, or steps of records if they are more."""
    rows = sum(len(block.seq) for block in batch.blocks)
    return max(rows, len({one.step for one in batch.records if one.step is not None}))
