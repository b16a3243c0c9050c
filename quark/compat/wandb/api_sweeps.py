"""Sweeps as ``wandb.Api`` gives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from quark.clock import parse_timestamp
from quark.compat.wandb import term
from quark.compat.wandb.errors import CommError
from quark.compat.wandb.reading import reading
from quark.compat.wandb.sweeps.place import SweepNotFoundError, parse_sweep_path
from quark.compat.wandb.symbols import refuse_attribute
from quark.errors import InvalidRunStateError, RunNotFoundError, SessionStoreError
from quark.settings import Settings as QuarkSettings
from quark.sweeps import Sweep
from quark.sweeps.parameters import look_up
from quark.sweeps.run_metric import as_number
from quark.sweeps.trial import RUN, SWEEP

if TYPE_CHECKING:
    from quark.compat.wandb.api_run import ApiRun
    from quark.records import RunRecord

    #: Makes a run as the Api gives it. It is handed in: a run knows its sweep too.
    MakeRun = Callable[[QuarkSettings, RunRecord], ApiRun]

_STATES = {
    "running": "RUNNING",
    "paused": "PAUSED",
    "stopped": "FINISHED",
    "finished": "FINISHED",
    "canceled": "CANCELED",
}
_CHANGES = {"RUNNING": "resume", "PAUSED": "pause", "FINISHED": "stop", "CANCELED": "cancel"}


class ApiSweep:
    """A sweep as it was when the Api read it; :meth:`load` reads it again."""

    def __init__(self, where: QuarkSettings, sweep_id: str, make_run: MakeRun) -> None:
        self._where = where
        self._make_run = make_run
        self.id = sweep_id
        self.load(force=True)

    def load(self, force: bool = False) -> dict[str, Any]:
        """Read the sweep again, with ``force``; return what is known of it.

        Raises:
            SweepNotFoundError: It is not there; also a ValueError.
        """
        if force:
            try:
                with Sweep.load(self.id, self._where) as sweep:
                    self.config: dict[str, Any] = dict(sweep.config.source)
                    self.project = sweep.project
                    self.entity = sweep.workspace
                    self.state = _STATES[sweep.state]
                    self.created_at = sweep.created_at
                    self.expected_run_count = sweep.config.expected_trial_count
                    self._trials = sweep.trials()
            except RunNotFoundError as error:
                raise SweepNotFoundError(f"Could not find sweep {self.id!r}: {error}") from error
            except SessionStoreError as error:
                raise CommError(str(error)) from error
        return {
            "id": self.id,
            "name": self.id,
            "state": self.state,
            "config": self.config,
            "runCount": len(self._trials),
            "runCountExpected": self.expected_run_count,
            "createdAt": self.created_at,
        }

    @property
    def name(self) -> str:
        """The name in the configuration, else the id."""
        return self.config.get("name") or self.id

    @property
    def username(self) -> str:
        return self.entity

    @property
    def path(self) -> list[str]:
        return [self.entity, self.project, self.id]

    @property
    def url(self) -> None:
        """None: the sweep is on this machine."""

    @property
    def runs(self) -> SweepRuns:
        """The runs that the sweep's trials have opened, by their start."""
        return SweepRuns(self._where, [trial.run_id for trial in self._trials], self._make_run)

    @property
    def order(self) -> str | None:
        """What the best run is first by: ``+summary_metrics.loss`` or the like."""
        metric = self.config.get("metric")
        if not metric:
            return None
        sign = "+" if metric.get("goal", "minimize") == "minimize" else "-"
        return f"{sign}summary_metrics.{metric['name']}"

    def best_run(self, order: str | None = None) -> ApiRun | None:
        """Return the run that comes first by ``order``, or by the sweep's metric.

        Runs that lack it are passed over. Without a metric it is the run that was started last.
        """
        order = order or self.order
        runs = list(self.runs)
        if order is None:
            term.termwarn("The sweep has no metric and no order was given: this is its last run.")
            return runs[-1] if runs else None
        path = order.lstrip("+-")
        name = path.removeprefix("summary_metrics.")
        sign = -1.0 if order.startswith("-") else 1.0
        known = {run: self._value(run, path, name) for run in runs}
        found = {run: value for run, value in known.items() if value is not None}
        return min(found, key=lambda run: sign * found[run]) if found else None

    def set_state(self, state: str) -> None:
        """Pause, resume, stop or cancel the sweep, by the state that it is to have.

        Raises:
            CommError: It cannot have that state any more.
            ValueError: There is no such state.
        """
        if state not in _CHANGES:
            raise ValueError(f"state is {state!r}, but must be one of {', '.join(_CHANGES)}.")
        try:
            with Sweep.load(self.id, self._where) as sweep:
                getattr(sweep, _CHANGES[state])()
        except InvalidRunStateError as error:
            raise CommError(str(error)) from error
        self.load(force=True)

    def _value(self, run: ApiRun, path: str, name: str) -> float | None:
        """Return what a run is compared by: a number of its summary, else the last one logged."""
        if path == "created_at":
            return float(parse_timestamp(run.created_at))
        if path.startswith("config."):
            return _number_at(run.config, path.removeprefix("config."))
        value = _number_at(run.summary, name)
        return _last_logged(self._where, run, name) if value is None else value

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api sweep", name)

    def __repr__(self) -> str:
        return f"<Sweep {'/'.join(self.path)} ({self.state})>"


class SweepRuns:
    """The runs of a sweep: a sequence, by their start. The store is asked at the first use."""

    def __init__(self, where: QuarkSettings, run_ids: list[str], make_run: MakeRun) -> None:
        self._where = where
        self._make_run = make_run
        self._run_ids = run_ids

    @cached_property
    def _runs(self) -> list[ApiRun]:
        found = []
        for run_id in self._run_ids:
            try:
                with reading(self._where, run_id) as store:
                    found.append(self._make_run(self._where, store.records.get_run(run_id)))
            except RunNotFoundError:
                continue  # its trial has not opened it, or somebody deleted it
        return sorted(found, key=lambda run: run.created_at)

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[ApiRun]:
        return iter(self._runs)

    @overload
    def __getitem__(self, index: int) -> ApiRun: ...
    @overload
    def __getitem__(self, index: slice) -> list[ApiRun]: ...
    def __getitem__(self, index: int | slice) -> ApiRun | list[ApiRun]:
        return self._runs[index]

    def __repr__(self) -> str:
        return f"<Runs: {len(self._runs)}>"


def find_sweep(where: QuarkSettings, path: str, make_run: MakeRun) -> ApiSweep:
    """Return the sweep that ``path`` names.

    Raises:
        SweepNotFoundError: There is none; also a ValueError.
        UsageError: ``path`` is no name.
    """
    entity, named, sweep_id = parse_sweep_path(path)
    sweep = ApiSweep(where, sweep_id, make_run)
    if (named or sweep.project) != sweep.project or (entity or sweep.entity) != sweep.entity:
        raise SweepNotFoundError(
            f"Could not find sweep {path!r}: its path is {'/'.join(sweep.path)!r}."
        )
    return sweep


def list_sweeps(
    where: QuarkSettings, entity: str, project: str, make_run: MakeRun
) -> list[ApiSweep]:
    """Return the sweeps of a project, the oldest first."""
    with reading(where) as store:
        found = [
            (str(document.body["created_at"]), document.name)
            for document in store.documents.list(SWEEP)
            if (document.body["workspace"], document.body["project"]) == (entity, project)
        ]
    return [ApiSweep(where, sweep_id, make_run) for _, sweep_id in sorted(found)]


def sweep_id_of(where: QuarkSettings, run_id: str) -> str | None:
    """Return the id of the sweep that a run belongs to; None if it belongs to none."""
    with reading(where) as store:
        found = store.documents.get(RUN, run_id)
    return None if found is None else str(found.body["sweep_id"])


def sweep_of(where: QuarkSettings, run_id: str, make_run: MakeRun) -> ApiSweep | None:
    """Return the sweep that a run belongs to; None if it belongs to none."""
    sweep_id = sweep_id_of(where, run_id)
    try:
        return None if sweep_id is None else ApiSweep(where, sweep_id, make_run)
    except SweepNotFoundError:
        return None


def _last_logged(where: QuarkSettings, run: ApiRun, name: str) -> float | None:
    """Return the last value of a metric in a run's history; None if it has none."""
    with reading(where, run.id) as store:
        series = store.points.series(run.id, name, columns="step_value")
    finite = [float(value) for value in series.value if math.isfinite(value)]
    return finite[-1] if finite else None


def _number_at(values: Mapping[str, Any], name: str) -> float | None:
    """Return the number at a key, or at a way of keys joined by dots; None if there is none."""
    for way in ((name,), tuple(name.split("."))):
        try:
            value = as_number(look_up(values, way))
        except KeyError:
            continue
        if value is not None and math.isfinite(value):
            return value
    return None
