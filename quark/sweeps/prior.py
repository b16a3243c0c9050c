"""Runs from before a sweep, taken into it as trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quark.errors import RunNotFoundError
from quark.records import RunStatus
from quark.settings import Settings
from quark.sweeps.config import SweepConfig
from quark.sweeps.proposal import point_of, units_of
from quark.sweeps.run_metric import metric_history, read_run
from quark.sweeps.trial import COMPLETED, FAILED, Trial

if TYPE_CHECKING:
    from quark.storage.protocols import Store


def prior_trials(
    store: Store, sweep_id: str, config: SweepConfig, run_ids: Sequence[str], settings: Settings
) -> list[Trial]:
    """Return runs as the first trials of a sweep. Their config says which values they had.

    A run that lacks a parameter is kept as a trial, but teaches nothing.

    Raises:
        RunNotFoundError: There is no such run.
    """
    found = []
    for number, run_id in enumerate(run_ids, start=1):
        run = read_run(store, run_id, settings)
        if run is None:
            raise RunNotFoundError(f"There is no run {run_id!r} to begin the sweep with.")
        metric = config.metric
        history = metric_history(store, run, metric.name) if metric else []
        is_grid = config.method == "grid"
        units = None if is_grid else units_of(config, run.config)
        done = run.status == RunStatus.COMPLETED
        found.append(
            Trial(
                sweep_id=sweep_id,
                number=number,
                run_id=run_id,
                values=dict(run.config),
                state=COMPLETED if done else FAILED,
                point=point_of(config, run.config) if is_grid else None,
                units=units or {},
                started_at=run.created_at,
                ended_at=run.ended_at,
                exit_code=run.exit_code,
                metric=metric.best(history) if metric else None,
                prior=True,
            )
        )
    return found
