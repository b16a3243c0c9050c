"""Who ends a run that several machines write into through a service."""

from __future__ import annotations

from pathlib import Path

import pytest

from quark import TrainingSession
from quark.errors import InvalidRunStateError
from quark.session import RunRequest
from quark.settings import Settings
from tests.support.over_service import ServicePlace


def on_machine(
    folder: Path, *, owner: bool | None = None, shared: bool = True, takes_over: bool = False
) -> TrainingSession:
    """Open the run as a machine does whose journals are in ``folder``."""
    request = RunRequest(
        project="p",
        settings=Settings.load(storage_dir=str(folder)),
        run_id="r",
        resume="allow",
        shared=shared,
        takes_over=takes_over,
        owner=owner,
    )
    return TrainingSession.open(request)


def stored(place: ServicePlace) -> tuple[str, int, list[int]]:
    """Return the run's status, how often it was resumed, and the steps of its points."""
    store = place.store()
    run = store.records.get_run("r")
    steps = store.points.series("r", "loss").step.tolist()
    store.close()
    return run.status, run.resume_count, sorted(steps)


@pytest.fixture
def lost(over_service: ServicePlace, tmp_path: Path) -> TrainingSession:
    """A run that another machine has open, or had when it was switched off: nobody can tell."""
    session = on_machine(tmp_path / "first")
    session.log_row({"loss": 1.0}, 0)
    session.handle.flush()
    return session


def test_a_run_of_a_machine_that_is_gone_is_resumed_and_ended(
    over_service: ServicePlace, lost: TrainingSession, tmp_path: Path
) -> None:
    again = on_machine(tmp_path / "second", takes_over=True)
    joins = on_machine(tmp_path / "second", takes_over=True)

    assert (again.joined, again.handle.owner) == (False, True)
    assert (joins.joined, joins.handle.owner) == (True, False)
    again.log_row({"loss": 1.0}, 1)
    joins.end_run()
    again.end_run()
    assert stored(over_service) == ("completed", 1, [0, 1])

    lost.log_row({"loss": 1.0}, 2)  # it was not gone after all
    lost.end_run("failed")
    assert stored(over_service) == ("failed", 1, [0, 1, 2])


@pytest.mark.parametrize("first_ends", [True, False])
def test_of_those_that_share_a_run_the_first_that_may_ends_it(
    over_service: ServicePlace, first_ends: bool, tmp_path: Path
) -> None:
    owner = None if first_ends else False
    sessions = [on_machine(tmp_path / "first", owner=owner)]
    sessions += [on_machine(tmp_path / name) for name in ("second", "third")]

    assert [session.handle.owner for session in sessions] == [first_ends, not first_ends, False]
    for session in sessions[::-1]:
        session.end_run()
    assert stored(over_service)[:2] == ("completed", 0)


def test_a_run_of_another_machine_is_not_taken_over_unasked(
    lost: TrainingSession, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRunStateError, match="running"):
        on_machine(tmp_path / "second", shared=False)
    guest = on_machine(tmp_path / "second", owner=False, takes_over=True)

    assert (guest.joined, guest.handle.owner) == (True, False)
    guest.end_run()
    lost.end_run()
