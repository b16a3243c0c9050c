"""Live rules in sessions: when they judge, what they tell, and what becomes of it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import quark
from quark import AlertRecord, AnalyzerEngine, EventLogger, MetricsLogger, TrainingSession
from quark.analyzers.rules.non_finite_values import RULE as NON_FINITE_VALUES
from quark.errors import InvalidRunStateError, SchemaValidationError
from quark.live import LiveConfig, LiveRules
from quark.live.extension import MAX_EARLY_POINTS, rules_following
from quark.live.watching import watch
from tests.live.building import batch_of, layer, rows, rule, settle
from tests.support.clock import FakeClock

AT_ONCE = LiveConfig(time_share=1.0, first_seconds=0, first_row_count=1, growth_ratio=0)


def eager() -> LiveRules:
    """Live rules that judge whenever something has come."""
    rules = [rule("loss_too_high", explains=("loss_odd",)), rule("loss_odd"), NON_FINITE_VALUES]
    return LiveRules(rules=rules, config=AT_ONCE)


@pytest.fixture
def eager_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARK_LIVE_RULES", "0")
    monkeypatch.setenv("QUARK_REPORT", "0")
    monkeypatch.setenv("QUARK_EXTENSIONS", f"{__name__}:eager")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainingSession]:
    """A session that nothing follows yet."""
    monkeypatch.setenv("QUARK_LIVE_RULES", "0")
    monkeypatch.setenv("QUARK_REPORT", "0")
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        settle(session)
        yield session


def log_until(session: TrainingSession, heard: threading.Event, value: float = 100.0) -> int:
    """Log a bad loss until an alert is heard; return how many rows that took."""
    for step in range(1_000):
        session.log_row({"train/loss": value}, step)
        session.flush()
        if heard.wait(0.01):
            return step + 1
    raise AssertionError("No alert was heard.")


# -- from a row to an alert ----------------------------------------------------------------------


@pytest.mark.usefixtures("eager_rules")
def test_an_alert_is_kept_said_once_and_told_and_the_analysis_at_the_end_takes_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = threading.Event()
    alerts: list[AlertRecord] = []

    def listen(alert: AlertRecord) -> None:
        alerts.append(alert)
        heard.set()

    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        with quark.on_alert(listen):
            log_until(session, heard)
            settle(session)
        engine = AnalyzerEngine(session)
        live = engine.read_alerts()
        engine.analyze()
        after = engine.read_alerts()

    assert [(one.rule_id, one.severity) for one in live] == [("loss_too_high", "warning")]
    assert live == tuple(alerts)
    assert live[0].metadata["live"] is True
    assert live[0].metadata["consequences"][0]["rule_id"] == "loss_odd"
    assert not any(one.metadata.get("live") for one in after)
    said = [line for line in capsys.readouterr().err.splitlines() if "The loss is 100." in line]
    assert len(said) == 1
    assert said[0].startswith("quark: warning: Loss too high: train/loss. The loss is 100.")
    assert said[0].endswith("Try: Lower the learning rate.")
    with EventLogger(session.context) as events:
        (summary,) = events.read(event_type="live_rules_summary")
    assert summary.payload["judged_count"] >= 2
    assert summary.payload["alert_count"] == 1
    assert 0 < summary.payload["seconds"] < 60
    assert 0 < summary.payload["share_of_wall_time"] < 10


@pytest.mark.usefixtures("eager_rules")
def test_a_listener_that_fails_is_counted_and_the_others_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = threading.Event()

    def fail(alert: AlertRecord) -> None:
        raise RuntimeError("a bug in a listener")

    with TrainingSession.start_run(project="p", storage_dir=tmp_path, strict_mode=True) as session:
        assert watch(session, on_alert=fail)
        assert watch(session, on_alert=lambda alert: heard.set())
        log_until(session, heard)
        settle(session)
        faults = session.diagnostics().faults

    assert faults == {"an on_alert listener failed": 1}
    assert "a bug in a listener" in capsys.readouterr().err
    assert session.status == "completed"


@pytest.mark.usefixtures("eager_rules")
def test_recording_says_nothing_and_keeps_the_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUARK_ON_ALERT", "record")
    heard = threading.Event()

    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        watch(session, on_alert=lambda alert: heard.set())
        log_until(session, heard)
        kept = AnalyzerEngine(session).read_alerts()

    assert [one.rule_id for one in kept] == ["loss_too_high"]
    assert "too high" not in capsys.readouterr().err


@pytest.mark.usefixtures("eager_rules")
def test_a_value_that_metrics_loggers_refuse_is_judged_too(tmp_path: Path) -> None:
    heard = threading.Event()
    alerts: list[AlertRecord] = []

    def listen(alert: AlertRecord) -> None:
        alerts.append(alert)
        heard.set()

    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        watch(session, on_alert=listen)
        with MetricsLogger(session) as metrics:
            for step in range(20):
                metrics.log("train/loss", 1.0, step=step)
            for step in range(20, 1_000):
                with pytest.raises(SchemaValidationError):
                    metrics.log("train/loss", float("nan"), step=step)
                metrics.flush()
                if heard.wait(0.01):
                    break

    assert [one.rule_id for one in alerts] == ["non_finite_values"]


def test_what_cannot_be_listened_to_is_refused(session: TrainingSession) -> None:
    with pytest.raises(SchemaValidationError, match="called with an AlertRecord"):
        quark.on_alert("stop")  # type: ignore[arg-type]
    with pytest.raises(SchemaValidationError, match="on_alert is 'shout'"):
        watch(session, on_alert="shout")
    with pytest.raises(SchemaValidationError, match="stop_severity is 'warning'"):
        watch(session, on_alert="stop", stop_severity="warning")
    assert watch(session, on_alert="stop") is False  # nothing judges this run


def test_watching_needs_a_run() -> None:
    with pytest.raises(InvalidRunStateError, match="start_run"):
        watch(on_alert="stop")


# -- when it judges ------------------------------------------------------------------------------


class Judged:
    """Live rules on a clock of their own, whose rule takes ``cost_seconds`` each time."""

    def __init__(
        self,
        session: TrainingSession,
        cost_seconds: float,
        rule_id: str = "slow",
        **config: Any,
    ) -> None:
        self.clock, self.used = FakeClock(), FakeClock()
        self.session = session
        self.times: list[float] = []
        self.next_step = 0

        def check(evidence: Any, limits: Any) -> Iterator[Any]:
            self.times.append(self.clock.monotonic())
            self.used.advance(cost_seconds)
            yield from ()

        self.rules = LiveRules(
            rules=[replace(rule(rule_id), check=check)],
            config=LiveConfig(**{"first_seconds": 2.0, **config}),
            clock=self.clock,
            meter=self.used.monotonic,
        )
        self.rules.on_start(session)

    def pass_seconds(self, seconds: int, rows_per_second: int = 10, value: float = 1.0) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            if rows_per_second:
                batch = rows({"train/loss": [value] * rows_per_second}, first=self.next_step)
                self.next_step += rows_per_second
                self.rules.on_batch(self.session, batch)
                settle(self.session)


def test_the_first_judgement_waits_for_time_and_for_rows(session: TrainingSession) -> None:
    by_rows, by_time = Judged(session, 0.0), Judged(session, 0.0)

    by_rows.pass_seconds(9, rows_per_second=10)
    by_time.pass_seconds(1, rows_per_second=500)
    by_time.pass_seconds(3, rows_per_second=500)

    assert by_rows.times[0] == 5
    assert by_time.times[0] == 2
    by_rows.rules.on_end(session, "completed")
    by_time.rules.on_end(session, "completed")


def test_judging_keeps_within_its_share_of_the_time(session: TrainingSession) -> None:
    judged = Judged(session, 0.049)

    judged.pass_seconds(40)
    judged.rules.on_end(session, "completed")

    # 0.049 s at 1 %: one every 4.9 s, and never one that would not fit any more
    assert judged.times == [5, 10, 15, 20, 25, 30, 35, 40]
    with EventLogger(session) as events:
        (summary,) = events.read(event_type="live_rules_summary")
    assert summary.payload == {
        "judged_count": 8,
        "alert_count": 0,
        "seconds": pytest.approx(8 * 0.049),
        "share_of_wall_time": pytest.approx(8 * 0.049 / 40),
        "skipped_probe_count": 0,
    }


def test_the_share_of_the_time_is_kept_from_the_first_judgement_on(
    session: TrainingSession,
) -> None:
    cost_seconds = 0.24  # measured, with the loading of the rules
    judged = Judged(session, cost_seconds, first_seconds=LiveConfig().first_seconds)

    judged.pass_seconds(120)
    judged.rules.on_end(session, "completed")

    assert judged.times[0] == 25
    for count, moment in enumerate(judged.times, start=1):
        assert count * cost_seconds <= LiveConfig().time_share * moment


def test_a_long_run_is_judged_ever_more_seldom_and_a_quiet_one_each_minute(
    session: TrainingSession,
) -> None:
    fast = Judged(session, 0.0, growth_ratio=1.0, idle_seconds=1_000.0)
    quiet = Judged(session, 0.0, growth_ratio=1.0, idle_seconds=60.0)

    fast.pass_seconds(50)
    quiet.pass_seconds(5)
    for _ in range(3):
        quiet.clock.advance(59)
        quiet.pass_seconds(1, rows_per_second=1)

    assert fast.times == [5, 11, 23, 47]
    assert quiet.times == [5, 65, 125, 185]
    fast.rules.on_end(session, "completed")
    quiet.rules.on_end(session, "completed")


def test_a_value_that_is_not_finite_is_judged_at_once_but_not_for_ever(
    session: TrainingSession,
) -> None:
    judged = Judged(session, 0.01, rule_id="non_finite_values")

    for _ in range(64):
        judged.rules.on_batch(session, rows({"train/loss": [float("nan")]}))
        settle(session)

    assert len(judged.times) == 3  # at batches 1, 2 and 4; there is no time for more
    judged.rules.on_end(session, "completed")


def test_nothing_is_judged_after_the_end_or_in_a_forked_child(session: TrainingSession) -> None:
    asked: list[str] = []
    rules = LiveRules(rules=[rule("a", asked=asked)], config=AT_ONCE)
    rules.on_start(session)
    batch = rows({"train/loss": [1.0]})

    child = os.fork()
    if child == 0:
        rules.on_batch(session, batch)
        os._exit(rules._row_count)
    _, code = os.waitpid(child, 0)
    rules.on_end(session, "completed")
    rules.on_batch(session, batch)
    settle(session)

    assert (os.waitstatus_to_exitcode(code), asked) == (0, [])


def test_what_is_put_aside_at_first_is_bounded_and_not_lost(session: TrainingSession) -> None:
    judged = Judged(session, 0.0, first_seconds=100.0)
    half = MAX_EARLY_POINTS // 2 + 1

    judged.pass_seconds(1, rows_per_second=half)
    assert len(judged.rules._early) == 1
    judged.pass_seconds(1, rows_per_second=half)
    assert judged.rules._early == []

    assert judged.rules._judge is not None
    evidence, _ = judged.rules._judge.judge(session, 2 * half)
    assert evidence.metrics["train/loss"].step[0] == 0
    assert evidence.last_step is not None
    assert evidence.last_step > 2 * half - 100  # every 32nd point is kept
    judged.rules.on_end(session, "completed")


def test_probes_are_skipped_when_there_is_no_time_for_them(session: TrainingSession) -> None:
    judged = Judged(session, 0.0, first_row_count=1, first_seconds=1.0)
    judged.pass_seconds(1)  # loads what takes them
    probes = judged.rules._probes
    for step in range(20):
        with probes.spending():
            judged.used.advance(0.01)  # of 1 % of 1 s a step, half of which may go there
        judged.clock.advance(1)
        judged.rules.on_batch(session, batch_of(records=(layer(step), layer(step, "out"))))

    assert judged.rules._judge is not None
    skipped = judged.rules._judge.skipped_probe_count
    assert 0 < skipped < 20
    judged.rules.on_end(session, "completed")


def test_a_rule_that_fails_is_counted_and_the_run_goes_on(session: TrainingSession) -> None:
    def fail(evidence: Any, limits: Any) -> Iterator[Any]:
        raise ZeroDivisionError("a bug in a rule")

    rules = LiveRules(rules=[replace(rule("broken"), check=fail)], config=AT_ONCE)
    rules.on_start(session)
    rules.on_batch(session, rows({"train/loss": [1.0]}))
    settle(session)
    rules.on_end(session, "completed")

    assert session.diagnostics().faults == {"rule broken failed": 1}


# -- what it costs who needs none of it ----------------------------------------------------------


@pytest.mark.parametrize("mode", ["online", "disabled"])
def test_a_short_run_loads_no_rules_before_its_end(tmp_path: Path, python: str, mode: str) -> None:
    script = (
        "import json, sys, quark\n"
        "from quark import TrainingSession\n"
        "session = TrainingSession.start_run(project='p')\n"
        "for step in range(200):\n"
        "    session.log_row({'train/loss': 1.0, 'lr': 0.1}, step)\n"
        "session.flush()\n"
        "session.end_run()\n"
        "from quark.live.extension import rules_following\n"
        "names = [n for n in sys.modules if n.startswith(('quark.analyzers', 'quark.live'))]\n"
        "print(json.dumps([rules_following(session) is not None, names]))"
    )
    done = subprocess.run(
        [python, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "QUARK_MODE": mode, "QUARK_REPORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    follows, names = json.loads(done.stdout)

    assert follows is (mode == "online")
    assert not any(name.startswith("quark.analyzers") for name in names)
    assert not {"quark.live.judging", "quark.live.telling", "quark.live.guarding"} & set(names)


def test_a_session_is_followed_unless_it_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        assert rules_following(session) is not None
        assert watch(on_alert="warn") is True
    monkeypatch.setenv("QUARK_LIVE_RULES", "0")
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        assert rules_following(session) is None
