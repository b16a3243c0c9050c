"""``wandb.controller``: a sweep whose trials this process chooses, one step after the other.

Agents of such a sweep run what the controller has scheduled and wait for it otherwise.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from quark.compat.wandb import term
from quark.compat.wandb.config_sources import plain_config
from quark.compat.wandb.env import set_entity, set_project
from quark.compat.wandb.sweeps.controller_configuration import (
    ControllerConfiguration,
    ControllerError,
    SweepRun,
)
from quark.compat.wandb.sweeps.create import create_sweep
from quark.compat.wandb.sweeps.place import find_sweep, sweep_settings
from quark.sweeps import Sweep, Trial
from quark.sweeps.hyperband import brackets, falls_behind
from quark.sweeps.proposal import Proposal, point_of, units_of
from quark.sweeps.recovery import settle_lost_trials
from quark.sweeps.run_metric import metric_history, read_run
from quark.sweeps.search import propose

STEP_SECONDS = 5.0
_MAX_SCHEDULED = 1

_STATES = {"completed": "finished", "stopped": "killed", "interrupted": "killed", "lost": "crashed"}


class Controller(ControllerConfiguration):
    """Configures, makes and steers a sweep. Each step reads the store anew."""

    def __init__(
        self,
        sweep_id_or_config: str | Mapping[str, Any] | None = None,
        entity: str | None = None,
        project: str | None = None,
    ) -> None:
        if entity:
            set_entity(entity)
        if project:
            set_project(project)
        self._entity = entity
        self._project = project
        super().__init__()
        self._sweep: Sweep | None = None
        self._actions: list[tuple[str, str]] = []
        self._debug: list[str] = []
        self._last_status = ""
        self._pause = threading.Event()
        if isinstance(sweep_id_or_config, str):
            self._open(sweep_id_or_config)
        elif isinstance(sweep_id_or_config, Mapping):
            self._given = dict(sweep_id_or_config)
            if callable(self._given.get("method")):
                self.configure_search(self._given["method"])
            self.create()
        elif sweep_id_or_config is not None:
            raise ControllerError(
                f"A controller is made from the id of a sweep or a configuration, not from a "
                f"{type(sweep_id_or_config).__name__}."
            )

    # -- making ---------------------------------------------------------------------------------

    def create(self, from_dict: bool = False) -> str:
        """Make the sweep that was configured, and return its id.

        Raises:
            ControllerError: There is one already, or nothing was configured.
            InvalidSettingError: The configuration is not valid.
        """
        self._check_configurable()
        if self._sweep is not None:
            raise ControllerError("The sweep is made already.")
        if not self._given:
            raise ControllerError("Configure the sweep before create().")
        config = {**self._given, "controller": {"type": "local"}}
        if self._search is not None:
            config["method"] = "custom"
        made = create_sweep(config, self._entity, self._project)
        self._open(made.id)
        return made.id

    # -- what it is --------------------------------------------------------------------------------

    @property
    def sweep_id(self) -> str | None:
        return None if self._sweep is None else self._sweep.id

    @property
    def sweep_config(self) -> dict[str, Any]:
        """The configuration; before the sweep is made, as far as it has come."""
        return dict(self._given if self._sweep is None else self._sweep.config.source)

    # -- running -----------------------------------------------------------------------------------

    def run(
        self,
        verbose: bool = False,
        print_status: bool = True,
        print_actions: bool = False,
        print_debug: bool = False,
    ) -> None:
        """Make steps until the sweep is done. Agents run the trials meanwhile."""
        while not self.done():
            if print_status or verbose:
                self.print_status()
            self.step()
            if print_actions or verbose:
                self.print_actions()
            if print_debug or verbose:
                self.print_debug()
            self._pause.wait(STEP_SECONDS)

    def step(self) -> None:
        """Schedule one trial if none waits to be taken, and end those that fall behind."""
        sweep = self._started_sweep()
        settle_lost_trials(sweep, sweep.trials())
        self._actions, self._debug = [], []
        if len(sweep.schedule()) < _MAX_SCHEDULED:
            self.schedule(self.search())
        behind = self.stopping()
        if behind:
            self.stop_runs(behind)

    def done(self) -> bool:
        """Say whether there is nothing left to schedule or to wait for."""
        return self._started_sweep().state not in ("running", "paused")

    def search(self) -> SweepRun | None:
        """Return the trial that should come next; None if everything has been tried."""
        sweep = self._started_sweep()
        if self._search is not None:
            return self._search(self.sweep_config, self._runs(with_history=True))
        trials = sweep.trials()
        waiting = [
            Trial(sweep_id=sweep.id, number=0, run_id="", values={}, point=values.get("point"))
            for values in sweep.schedule()
        ]
        proposal = propose(sweep.config, sweep.seed, len(trials) + 1, [*trials, *waiting])
        if proposal is None:
            return None
        return SweepRun(config={name: {"value": item} for name, item in proposal.values.items()})

    def schedule(self, run: SweepRun | None) -> None:
        """Let an agent take ``run`` next; None says that there will be no other one."""
        sweep = self._started_sweep()
        waiting = sweep.schedule()
        if waiting:
            return
        if run is None:
            sweep.put_schedule([], exhausted=True)
            if all(trial.ended for trial in sweep.trials()) and sweep.state == "running":
                sweep.finish()
            return
        config = run["config"] if isinstance(run, Mapping) else run.config
        values = {
            name: plain_config(item["value"] if isinstance(item, Mapping) else item)
            for name, item in config.items()
        }
        sweep.put_schedule([_as_dict(sweep, values)], exhausted=False)
        shown = ",".join(f"{name}={value}" for name, value in sorted(values.items()))
        self._actions.append(("schedule", shown))

    def stopping(self) -> list[SweepRun]:
        """Return the running trials that should be ended."""
        sweep = self._started_sweep()
        runs = self._runs(with_history=self._stop is not None)
        if self._stop is not None:
            return list(self._stop(self.sweep_config, runs))
        rule, metric = sweep.config.early_termination, sweep.config.metric
        if rule is None or metric is None or not brackets(rule):
            return []
        trials = sweep.trials()
        behind = {
            trial.run_id
            for trial in trials
            if not trial.ended
            and falls_behind(
                trial.brackets,
                trial.metric,
                [other.brackets for other in trials if other is not trial],
                rule,
                metric,
            )
        }
        return [run for run in runs if run.name in behind]

    def stop_runs(self, runs: Sequence[SweepRun]) -> None:
        """Have the agents of running trials end them."""
        sweep = self._started_sweep()
        names = {run.name for run in runs}
        for trial in sweep.trials():
            if trial.run_id in names and not trial.ended:
                sweep.order_stop(trial.number, "the controller stopped it")
        self._actions.append(("stop", ",".join(sorted(name for name in names if name))))

    # -- telling -----------------------------------------------------------------------------------

    def print_status(self) -> None:
        """Say how far the sweep is, if that has changed."""
        status = self._status()
        if status != self._last_status:
            term.termlog(status)
        self._last_status = status

    def print_actions(self) -> None:
        for action, line in self._actions:
            term.termlog(f"{action.capitalize()} ({line})")
        self._actions = []

    def print_debug(self) -> None:
        for line in self._debug:
            term.termlog(line)
        self._debug = []

    def print_space(self) -> None:
        term.termwarn("Not implemented, as in W&B.")

    def print_summary(self) -> None:
        term.termwarn("Not implemented, as in W&B.")

    # -- inside ------------------------------------------------------------------------------------

    def _status(self) -> str:
        sweep = self._started_sweep()
        counts = Counter(run.state for run in self._runs())
        kinds = [sweep.config.method]
        early = sweep.config.early_termination
        kinds += [] if early is None else [early.kind]
        states = ", ".join(f"{state.capitalize()}: {count}" for state, count in counts.items())
        runs = f"Runs: {sum(counts.values())}" + (f" ({states})" if states else "")
        return f"Sweep: {sweep.id} ({','.join(kinds)}) | {runs}"

    def _runs(self, *, with_history: bool = False) -> list[SweepRun]:
        sweep = self._started_sweep()
        return [_as_run(sweep, trial, with_history=with_history) for trial in sweep.trials()]

    def _open(self, sweep_id: str) -> None:
        self._sweep = find_sweep(sweep_id, self._entity, self._project, sweep_settings())

    def _started_sweep(self) -> Sweep:
        if self._sweep is None:
            raise ControllerError("Make the sweep, by create(), before running the controller.")
        if not self._sweep.config.local_controller:
            raise ControllerError(
                "Only a sweep with a local controller can be steered: make it by "
                "wandb.controller(...), or with controller: {type: local} in its configuration."
            )
        self._started = True
        return self._sweep


def controller(
    sweep_id_or_config: str | Mapping[str, Any] | None = None,
    entity: str | None = None,
    project: str | None = None,
) -> Controller:
    """Return what makes and steers a sweep from this process; see :class:`Controller`."""
    return Controller(sweep_id_or_config, entity, project)


def _as_dict(sweep: Sweep, values: dict[str, Any]) -> dict[str, Any]:
    if sweep.config.method == "grid":
        return {"values": values, "point": point_of(sweep.config, values)}
    proposal = Proposal(values=values, units=units_of(sweep.config, values) or {})
    return {"values": values, "units": dict(proposal.units)}


def _as_run(sweep: Sweep, trial: Trial, *, with_history: bool) -> SweepRun:
    metric = sweep.config.metric
    found: dict[str, Any] = {}
    history: list[dict[str, Any]] = []
    if metric is not None and trial.metric is not None:
        found[metric.name] = trial.metric
    if with_history and metric is not None:
        record = read_run(sweep.store, trial.run_id, sweep.settings)
        values = [] if record is None else metric_history(sweep.store, record, metric.name)
        history = [{metric.name: value} for value in values]
        found |= {metric.name: values[-1]} if values else {}
    return SweepRun(
        config={name: {"value": value} for name, value in trial.values.items()},
        name=trial.run_id,
        state=_STATES.get(trial.state, trial.state),
        summary_metrics=found,
        history=history,
        stopped=trial.state == "stopped",
        should_stop=trial.stop is not None and not trial.ended,
    )
