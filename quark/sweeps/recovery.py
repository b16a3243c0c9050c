"""What becomes of trials whose agent died."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from quark.pipeline.recovery import PROCESS_LOST
from quark.records import RunStatus
from quark.sweeps import lease
from quark.sweeps.run_metric import metric_history, read_run
from quark.sweeps.trial import COMPLETED, FAILED, INTERRUPTED, LOST, STOPPED, Trial

if TYPE_CHECKING:
    from pathlib import Path

    from quark.records import RunRecord
    from quark.settings import Settings
    from quark.storage.protocols import Store
    from quark.sweeps.config import SweepConfig


class TrialKeeper(Protocol):
    """What a sweep is to its recovery."""

    settings: Settings
    root: Path

    @property
    def store(self) -> Store: ...
    @property
    def config(self) -> SweepConfig: ...
    def settle(self, number: int, state: str, **fields: Any) -> Trial: ...


def settle_lost_trials(sweep: TrialKeeper, trials: Sequence[Trial]) -> list[Trial]:
    """End the trials that nobody works on any more; return all of them as they are then.

    The run says how such a trial ended: a program may have outlived its agent. A run that was cut
    off, or never begun, is a lost trial.
    """
    return [_settled(sweep, trial) for trial in trials]


def _settled(sweep: TrialKeeper, trial: Trial) -> Trial:
    if trial.ended or trial.agent is None or lease.is_alive(sweep.root, trial.agent):
        return trial
    run = read_run(sweep.store, trial.run_id, sweep.settings)
    if run is not None and run.status == RunStatus.RUNNING:
        return trial  # some process still writes into it
    lease.forget(sweep.root, trial.agent)
    metric = sweep.config.metric
    history = metric_history(sweep.store, run, metric.name) if run and metric else []
    return sweep.settle(
        trial.number,
        _state_of(run, trial),
        exit_code=None if run is None else run.exit_code,
        reason="its process ended without closing it" if run is None else run.end_reason,
        metric=metric.best(history) if metric else None,
    )


def _state_of(run: RunRecord | None, trial: Trial) -> str:
    if run is None or run.end_reason in (PROCESS_LOST, "SIGTERM"):
        return STOPPED if trial.stop else LOST
    states = {
        RunStatus.COMPLETED: COMPLETED,
        RunStatus.FAILED: FAILED,
        RunStatus.INTERRUPTED: INTERRUPTED,
    }
    return states[RunStatus(run.status)]
