"""Asking a training to stop from beside it: where it ends, what stays, and what does not count."""

from __future__ import annotations

import _thread
from pathlib import Path

import pytest

from quark import TrainingSession, TrainingStoppedError
from quark.live import stop_watch
from quark.live.stop_watch import StopWatch
from quark.live.stopping import check, should_stop
from quark.records import EventRecord
from quark.session import RunRequest
from quark.settings import Settings
from quark.storage.stop_requests import StopRequest, ask_to_stop, find_stop_request
from tests.support.clock import FakeClock


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the tests look by themselves, without the watch that every session has."""
    for name in ("LIVE_RULES", "REPORT", "STOP_REQUESTS"):
        monkeypatch.setenv(f"QUARK_{name}", "0")
    monkeypatch.setenv("QUARK_QUIET", "1")
    monkeypatch.setenv("QUARK_STORAGE_DIR", str(tmp_path))


def ask(session: TrainingSession) -> None:
    with session.handle.at_rest() as store:
        request = StopRequest(run_id=session.run_id, asked_us=1, by="ann", reason="flat\x1b[31m")
        ask_to_stop(store.documents, request)


def asked(session: TrainingSession) -> bool:
    with session.reading() as store:
        return find_stop_request(store.documents, session.run_id) is not None


def test_a_loop_that_asks_is_told_and_the_run_says_who_it_was() -> None:
    clock = FakeClock()
    watch = StopWatch(look_seconds=2.0, clock=clock)

    def train(session: TrainingSession) -> None:
        watch.on_start(session)
        watch.look(session)
        ask(session)
        watch.look(session)
        assert not should_stop(session)  # it has just looked
        clock.advance(2.1)
        watch.look(session)
        assert should_stop(session)
        clock.advance(1000.0)
        watch.look(session)  # the loop asks by itself, so it is not interrupted
        with session:
            try:
                check(session)
            finally:
                watch.on_end(session, "interrupted")

    session = TrainingSession.start_run(project="p")
    with pytest.raises(TrainingStoppedError) as raised:
        train(session)

    run = session.reload().run
    assert (run.status, run.end_reason) == ("interrupted", "stop requested by ann: flat [31m")
    assert "\x1b" not in str(raised.value)
    assert not should_stop(session)
    assert not asked(session)
    with session.reading() as store:
        events = store.records.read(EventRecord, session.run_id)
    assert [one.payload["by"] for one in events if one.event_type == "stop_requested"] == ["ann"]


def test_a_loop_that_makes_no_step_is_interrupted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted: list[int] = []
    monkeypatch.setattr(_thread, "interrupt_main", lambda: interrupted.append(1))
    clock = FakeClock()
    watch = StopWatch(look_seconds=1.0, grace_seconds=60.0, clock=clock)
    with TrainingSession.start_run(project="p") as session:
        ask(session)
        watch.on_start(session)
        watch.look(session)
        clock.advance(59.0)
        watch.look(session)
        assert interrupted == []
        clock.advance(2.0)
        watch.look(session)
        watch.look(session)
        assert interrupted == [1]
        watch.on_end(session, "completed")
        clock.advance(100.0)
        watch.look(session)

    assert interrupted == [1]


def test_a_request_of_an_earlier_life_is_dropped_and_a_later_one_is_obeyed() -> None:
    with TrainingSession.start_run(project="p") as first:
        ask(first)
        first.end_run("interrupted")
    clock = FakeClock()
    watch = StopWatch(look_seconds=1.0, clock=clock)
    with TrainingSession.resume_run(run_id=first.run_id) as session:
        watch.on_start(session)
        watch.look(session)
        assert not should_stop(session)
        assert not asked(session)
        ask(session)
        clock.advance(1.0)
        watch.look(session)
        assert should_stop(session)
        watch.on_end(session, "completed")


def test_every_session_looks_in_the_background_unless_it_is_told_not_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stop_watch, "LOCAL_SECONDS", 0.01)
    looked: list[str] = []
    look = StopWatch.look

    def seen(watch: StopWatch, session: TrainingSession) -> None:
        looked.append(session.run_id)
        look(watch, session)

    monkeypatch.setattr(StopWatch, "look", seen)
    with TrainingSession.start_run(project="p") as quiet:
        quiet.log_row({"x": 1.0}, 0)
        quiet.flush()
    request = RunRequest(project="p", settings=Settings.load(stop_requests=True))
    with TrainingSession.open(request) as session:
        session.log_row({"x": 1.0}, 0)
        session.flush()

    assert session.run_id in looked
    assert quiet.run_id not in looked
