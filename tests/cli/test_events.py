"""``quark events``: what happened during a run."""

from __future__ import annotations

import json
import subprocess

from quark import TrainingSession
from tests.support.cli import COMMAND, json_of
from tests.support.cli_inside import called
from tests.support.cli_runs import kept, trained
from tests.support.over_service import place, running

__all__ = ["kept", "place", "running"]


def test_events_are_followed_to_the_end_of_the_run(kept: str) -> None:
    session = TrainingSession.start_run(project="live")
    session.flush()
    types = ("--type", "user_log", "--type", "run_ended")
    words = ("events", "tail", session.run_id, "-f", "--json", *types)
    follower = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True)
    for number in range(30):
        session.add_log(f"line {number}")
    session.flush()
    assert follower.stdout is not None
    first = json.loads(follower.stdout.readline())
    for number in range(30, 60):
        session.add_log(f"line {number}")
    session.end_run()
    rest = follower.stdout.read()
    follower.stdout.close()

    events = [first, *map(json.loads, rest.splitlines())]
    told = [one["payload"]["message"] for one in events if one["type"] == "user_log"]
    assert told == [f"line {number}" for number in range(60)][-len(told) :]
    assert len(told) >= 50  # the first look begins with the last 20 that were there then
    assert events[-1]["type"] == "run_ended"
    assert len({one["id"] for one in events}) == len(events)
    assert follower.wait(60) == 0


def test_events_are_chosen_by_type_severity_and_number(kept: str) -> None:
    run_id = trained()

    (done,) = json_of(called("events", "tail", run_id, "--type", "epoch_done", "--json"))
    assert (done["step"], done["payload"]) == (19, {"accuracy": 0.5})
    bad = json_of(called("events", "tail", run_id, "--severity", "warning", "--json"))
    assert {one["severity"] for one in bad} == {"warning"}
    assert json_of(called("events", "tail", run_id, "-n", 0, "--json")) == []
    last = json_of(called("events", "tail", run_id, "-n", 1, "--json"))
    assert [one["type"] for one in last] == ["run_ended"]
    shown = called("events", "tail", run_id, "-n", 100).ok().out
    assert '{"accuracy":0.5}' in shown
    assert "\x1b" not in shown
    assert "No event fits" in called("events", "tail", run_id, "--type", "none").ok().err
