"""Runs that several holders have open at once: who joins, who ends, what is told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from quark import TrainingSession
from quark.errors import InvalidRunStateError, RunNotFoundError
from quark.records import EventRecord
from quark.session import RunRequest
from quark.session.reading import load_context
from quark.settings import Settings
from quark.storage.layout import shared_mark_path


def request(folder: Path, *, owner: bool | None = None, shared: bool = True) -> RunRequest:
    return RunRequest(
        project="p",
        settings=Settings.load(storage_dir=str(folder)),
        run_id="r",
        resume="allow",
        shared=shared,
        owner=owner,
    )


def status(folder: Path) -> str:
    return load_context("r", Settings.load(storage_dir=str(folder))).status


@pytest.mark.parametrize(
    ("first", "second", "ends"),
    [
        pytest.param(None, None, "first", id="whoever-starts-it"),
        pytest.param(True, False, "first", id="as-both-say"),
        pytest.param(False, True, "second", id="the-later-one"),
        pytest.param(False, None, "second", id="nobody-else-does"),
    ],
)
def test_one_of_two_ends_the_run(
    first: bool | None, second: bool | None, ends: str, tmp_path: Path
) -> None:
    sessions = {"first": TrainingSession.open(request(tmp_path, owner=first))}
    sessions["second"] = TrainingSession.open(request(tmp_path, owner=second))
    assert [session.joined for session in sessions.values()] == [False, True]
    assert [session.handle.owner for session in sessions.values()] == [
        ends == "first",
        ends == "second",
    ]
    for step, session in enumerate(sessions.values()):
        session.log_row({"loss": 1.0}, step)

    sessions.pop("second" if ends == "first" else "first").end_run()
    assert status(tmp_path) == "running"
    (owner,) = sessions.values()
    assert owner.handle.shared
    owner.end_run()

    assert status(tmp_path) == "completed"
    with owner.reading() as store:
        assert sorted(store.points.series("r", "loss").step.tolist()) == [0, 1]
        events = [event.event_type for event in store.records.read(EventRecord, "r")]
    assert events.count("process_joined") == 1
    assert events.count("run_started") == events.count("run_ended") == 1


def test_an_ended_run_is_joined_only_by_who_does_not_end_it(tmp_path: Path) -> None:
    TrainingSession.open(request(tmp_path)).end_run("failed")

    late = TrainingSession.open(request(tmp_path, owner=False))
    late.log_row({"loss": 1.0}, 0)
    late.end_run()
    assert status(tmp_path) == "failed"

    again = TrainingSession.open(request(tmp_path))
    assert not again.joined
    assert again.context.run.resume_count == 1
    again.end_run()
    assert status(tmp_path) == "completed"


def test_a_run_that_is_not_shared_is_not_joined(tmp_path: Path) -> None:
    with TrainingSession.open(request(tmp_path)) as session:
        with pytest.raises(InvalidRunStateError, match="running"):
            TrainingSession.open(request(tmp_path, shared=False))
        assert not session.handle.shared
        assert not shared_mark_path(session.handle.root, "r").exists()


def test_what_is_not_there_cannot_be_joined(tmp_path: Path) -> None:
    wanted = RunRequest(
        project="p",
        settings=Settings.load(storage_dir=str(tmp_path)),
        run_id="r",
        resume="must",
        shared=True,
        owner=False,
    )

    with pytest.raises(RunNotFoundError):
        TrainingSession.open(wanted)
