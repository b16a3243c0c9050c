"""A sweep's documents: what it is made from, who gets which trial, and how it ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from quark.errors import (
    DocumentConflictError,
    InvalidRunStateError,
    RunNotFoundError,
    SchemaValidationError,
)
from quark.session import RunRequest, TrainingSession
from quark.storage.documents import Document
from quark.storage.protocols import DocumentStore
from quark.sweeps import Sweep, Trial
from quark.sweeps.lease import Lease, is_alive
from quark.sweeps.trial import trial_of
from tests.sweeps.trials import new_sweep, settings_in


def finished_run(folder: Path, run_id: str, config: dict[str, object], *losses: float) -> None:
    request = RunRequest(project="p", settings=settings_in(folder), run_id=run_id, config=config)
    session = TrainingSession.open(request)
    for step, loss in enumerate(losses):
        session.log_row({"loss": loss}, step)
    session.end_run("completed")


def test_a_sweep_is_found_again_as_it_was_made(tmp_path: Path) -> None:
    with new_sweep(tmp_path, "random", {"a": {"values": [1, 2]}}, name="n") as made:
        found = Sweep.load(made.id, settings_in(tmp_path))

        assert found.config == made.config
        assert (found.project, found.workspace, found.seed) == ("p", "local", 1)
        assert (found.state, found.trials()) == ("running", [])
        found.close()
        with pytest.raises(RunNotFoundError, match=r"no sweep 'nobody'.*QUARK_STORAGE_DIR"):
            Sweep.load("nobody", settings_in(tmp_path))
        with pytest.raises(SchemaValidationError, match="method"):
            Sweep.create(
                {"method": "x", "parameters": {"a": {"value": 1}}},
                project="p",
                settings=settings_in(tmp_path),
            )
        with pytest.raises(DocumentConflictError):
            Sweep.create(
                made.config.source, project="p", settings=settings_in(tmp_path), sweep_id=made.id
            )


def test_threads_that_ask_at_once_get_different_trials(tmp_path: Path) -> None:
    with new_sweep(tmp_path, "grid", {"a": {"min": 1, "max": 24}}) as sweep:
        lease = Lease(sweep.root)
        found: list[Trial | str] = []
        ready = threading.Barrier(4)

        def ask() -> None:
            ready.wait()
            found.extend(sweep.claim(lease) for _ in range(7))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        points = sorted(item.point or 0 for item in found if isinstance(item, Trial))
        assert points == list(range(24))
        assert found.count("done") == 4
        states = [sweep.state]  # it is running until the trials have ended
        for number in range(1, 25):
            sweep.settle(number, "completed")
        assert [*states, sweep.state] == ["running", "finished"]
        lease.release()


def test_what_has_ended_stays_as_it_ended(tmp_path: Path) -> None:
    with new_sweep(tmp_path, "random", {"a": {"value": 1}}) as sweep:
        lease = Lease(sweep.root)
        sweep.claim(lease)
        sweep.settle(1, "completed", metric=0.5)

        sweep.settle(1, "failed", metric=9.0)
        sweep.note_progress(1, 7.0, (7.0,))
        sweep.order_stop(1, "too late")

        trial = sweep.trial(1)
        assert (trial.state, trial.metric, trial.brackets, trial.stop) == (
            "completed",
            0.5,
            (),
            None,
        )
        lease.release()


def test_the_sweep_ends_when_its_target_is_reached(tmp_path: Path) -> None:
    metric = {"name": "acc", "goal": "maximize", "target": 0.9}
    with new_sweep(tmp_path, "random", {"a": {"values": [1, 2]}}, metric=metric) as sweep:
        lease = Lease(sweep.root)
        for value, state in ((0.8, "running"), (0.95, "finished")):
            trial = sweep.claim(lease)
            assert isinstance(trial, Trial)
            sweep.settle(trial.number, "completed", metric=value)
            assert sweep.state == state
        assert sweep.claim(lease) == "done"
        lease.release()


class Overtaken:
    """Documents of a store. Right after the sweep is read, somebody else stops it."""

    def __init__(self, documents: DocumentStore, other: Sweep) -> None:
        self._documents = documents
        self._other = other

    def get(self, kind: str, name: str) -> Document | None:
        found = self._documents.get(kind, name)
        if kind == "sweep" and self._other.state == "running":
            self._other.stop()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)


def test_a_trial_ends_well_while_somebody_stops_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        new_sweep(tmp_path, "grid", {"a": {"values": [1]}}) as sweep,
        Sweep.load(sweep.id, settings_in(tmp_path)) as other,
    ):
        trial = sweep.claim(Lease(sweep.root))
        assert isinstance(trial, Trial)
        overtaken = Overtaken(sweep.store.documents, other)
        monkeypatch.setitem(vars(sweep.store), "documents", overtaken)

        settled = sweep.settle(trial.number, "completed")
        monkeypatch.undo()

        assert (settled.state, sweep.state) == ("completed", "stopped")


def test_an_agent_whose_sign_of_life_cannot_be_read_is_not_taken_for_dead(tmp_path: Path) -> None:
    lease = Lease(tmp_path)
    path = next((tmp_path / "sweeps").iterdir())
    path.unlink()
    assert not is_alive(tmp_path, lease.agent_id)

    path.symlink_to(path)

    assert is_alive(tmp_path, lease.agent_id)
    lease.release()


def test_runs_from_before_count_as_trials(tmp_path: Path) -> None:
    finished_run(tmp_path, "old-1", {"a": 2, "other": "x"}, 0.5, 0.3, 0.4)
    finished_run(tmp_path, "old-2", {"a": 9})
    config = {
        "method": "grid",
        "parameters": {"a": {"values": [1, 2, 3]}},
        "metric": {"name": "loss"},
    }
    settings = settings_in(tmp_path)

    with Sweep.create(
        config, project="p", settings=settings, prior_runs=["old-1", "old-2"]
    ) as sweep:
        assert [(trial.run_id, trial.point, trial.metric) for trial in sweep.trials()] == [
            ("old-1", 1, 0.3),
            ("old-2", None, None),
        ]
        lease = Lease(sweep.root)
        claimed = [sweep.claim(lease) for _ in range(3)]
        values = [trial.values["a"] for trial in claimed[:2] if isinstance(trial, Trial)]
        assert values == [1, 3]
        assert claimed[2] == "done"
        lease.release()
    with pytest.raises(RunNotFoundError, match="'never'"):
        Sweep.create(config, project="p", settings=settings, prior_runs=["never"])


@pytest.mark.parametrize(
    ("first", "then", "allowed"),
    [
        ("pause", "resume", True),
        ("stop", "resume", True),
        ("finish", "resume", True),
        ("stop", "pause", False),
        ("cancel", "resume", False),
        ("cancel", "stop", False),
        ("cancel", "cancel", True),
    ],
)
def test_which_states_follow_which(tmp_path: Path, first: str, then: str, allowed: bool) -> None:
    with new_sweep(tmp_path, "random", {"a": {"value": 1}}) as sweep:
        getattr(sweep, first)()

        if allowed:
            getattr(sweep, then)()
        else:
            with pytest.raises(InvalidRunStateError, match="cannot become"):
                getattr(sweep, then)()


def test_a_local_controller_says_what_comes(tmp_path: Path) -> None:
    with new_sweep(
        tmp_path, "random", {"a": {"values": [1, 2]}}, controller={"type": "local"}
    ) as sweep:
        lease = Lease(sweep.root)
        assert sweep.claim(lease) == "wait"

        sweep.put_schedule([{"values": {"a": 77}}], exhausted=False)
        trial = sweep.claim(lease)
        assert isinstance(trial, Trial)
        assert trial.values == {"a": 77}
        assert (sweep.claim(lease), sweep.schedule()) == ("wait", [])

        sweep.put_schedule([], exhausted=True)
        assert sweep.claim(lease) == "done"
        lease.release()


def test_a_trial_survives_its_document() -> None:
    trial = Trial(
        sweep_id="s",
        number=3,
        run_id="r",
        values={"a": {"b": None}},
        units={"a.b": 0.5},
        metric=float("-inf"),
        brackets=(1.0, float("inf")),
        stop="why",
    )

    assert trial_of({**trial.to_body(), "of a later version": 1}) == trial
    assert trial.document_name == "s/00000003"
