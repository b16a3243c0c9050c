"""What was measured of layers and parameters over the steps of a run, kept between questions.

A page asks again and again while a run goes on, so what was read stays, and only what has come
since is read. Of long runs every second probe is dropped, and so on, so that memory is bounded.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quark import jsonio
from quark.analyzers.tracks import full_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.protocols import Store

_NAN = float("nan")
_KINDS = ("layer_summary", "parameter_summary")
LAYER_FIELDS = ("mean", "std", "norm", "dead_unit_ratio", "saturation_ratio")
PARAMETER_FIELDS = (
    "value_mean",
    "value_std",
    "value_norm",
    "value_min",
    "value_max",
    "value_near_zero_ratio",
    "gradient_mean",
    "gradient_std",
    "gradient_norm",
    "update_norm",
    "update_to_value_ratio",
    "learning_rate",
)
#: Probes that are kept of one run, of all layers and parameters together.
MAX_ROWS = 400_000
#: No track is thinned out below this.
_MIN_ROWS = 200
#: Runs that are kept at once.
_MAX_RUNS = 4


class Track:
    """The probes of one layer's activations or gradients, or of one parameter.

    ``facts`` is the body of its first record. At a step that was probed twice the later counts.
    """

    __slots__ = ("_odd", "_seen", "_stride", "columns", "facts", "nonfinite", "steps")

    def __init__(self, facts: Mapping[str, Any], fields: tuple[str, ...], stride: int) -> None:
        self.facts = facts
        self.steps = array("q")
        self.columns = {name: array("d") for name in fields}
        self.nonfinite = array("q")
        self._stride = stride
        self._seen = self._odd = 0

    def add(self, step: int, body: Mapping[str, Any], nonfinite: int) -> int:
        """Take a probe; return how many rows that made. The first that are not finite are taken
        in any case."""
        self._seen += 1
        is_due = (self._seen - 1) % self._stride == 0
        if not is_due:
            if not nonfinite or self._odd >= _MIN_ROWS:
                return 0
            self._odd += 1
        self.steps.append(step)
        self.nonfinite.append(nonfinite)
        for name, column in self.columns.items():
            value = body.get(name)
            column.append(_NAN if value is None else float(value))
        return 1

    def thin_out(self) -> None:
        """Drop every second row, but not the few that are not finite."""
        self._stride *= 2
        if len(self.steps) <= _MIN_ROWS:
            return
        keep = np.array(self.nonfinite, np.int64) > 0
        if keep.sum() > _MIN_ROWS:
            keep[:] = False
        keep[::2] = True
        for whole in (self.steps, self.nonfinite):
            whole[:] = array("q", np.array(whole)[keep].tolist())
        for column in self.columns.values():
            column[:] = array("d", np.array(column)[keep].tolist())

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which rows count, by step, and their steps."""
        steps = np.array(self.steps, np.int64)
        order = np.argsort(steps, kind="stable")
        if len(order):
            order = order[np.append(np.diff(steps[order]) > 0, True)]
        return order, steps[order]

    def column(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the steps and values of a column."""
        order, steps = self.rows()
        return steps, np.array(self.columns[name], np.float64)[order]

    def bad(self) -> NDArray[np.bool_]:
        """Mark the probes, by step, that held values that are not finite."""
        order, _ = self.rows()
        return np.asarray(np.array(self.nonfinite, np.int64)[order] > 0)


class LayerHistory:
    """All layers and parameters of one run. Not for several threads at once."""

    def __init__(self) -> None:
        self.activations: dict[tuple[str, int, Any], Track] = {}
        self.gradients: dict[tuple[str, int, Any], Track] = {}
        self.parameters: dict[str, Track] = {}
        self.probe_count = 0
        self._position = 0
        self._row_count = 0
        self._stride = 1

    def read_on(self, store: Store, run_id: str) -> None:
        """Take what has come since.

        Raises:
            RunNotFoundError: There is no such run.
        """
        for part in store.records.scan(run_id, _KINDS, after=self._position):
            for one in part:
                body = jsonio.loads(one.body)
                take = self._layer if one.kind == "layer_summary" else self._parameter
                self._row_count += take(one.step or 0, body)
                self.probe_count += 1
            self._position = part[-1].position
            while self._row_count > MAX_ROWS and self._thin_out():
                pass

    @property
    def is_thinned(self) -> bool:
        """Whether probes were left out."""
        return self._stride > 1

    def modules(self) -> list[str]:
        """Return the names of the modules, from the input to the loss as far as that is known."""
        names = dict.fromkeys(name for name, *_ in self.activations)
        names.update(dict.fromkeys(name for name, *_ in reversed(self.gradients)))
        return list(names)

    def of_module(self, name: str) -> Iterator[Track]:
        """Yield the activations, then the gradients, of a module's calls."""
        for tracks in (self.activations, self.gradients):
            yield from (track for key, track in tracks.items() if key[0] == name)

    def _layer(self, step: int, body: Mapping[str, Any]) -> int:
        metadata = body.get("metadata") or {}
        is_activation = body["summary_type"] == "activation"
        if is_activation and metadata.get("grad_enabled") is False:
            return 0  # an evaluation in between
        tracks = self.activations if is_activation else self.gradients
        key = (body["module_name"], body.get("call_index", 0), metadata.get("output", ""))
        if key not in tracks:
            tracks[key] = Track(body, LAYER_FIELDS, self._stride)
        return tracks[key].add(step, body, metadata.get("nonfinite_count", 0))

    def _parameter(self, step: int, body: Mapping[str, Any]) -> int:
        metadata = body.get("metadata") or {}
        name = full_name(body)
        if name not in self.parameters:
            self.parameters[name] = Track(body, PARAMETER_FIELDS, self._stride)
        kinds = ("value", "gradient", "update")
        bad = sum(metadata.get(f"{kind}_nonfinite_count", 0) for kind in kinds)
        return self.parameters[name].add(step, body, bad)

    def _thin_out(self) -> bool:
        tracks = [*self.activations.values(), *self.gradients.values(), *self.parameters.values()]
        self._stride *= 2
        for track in tracks:
            track.thin_out()
        before, self._row_count = self._row_count, sum(len(track.steps) for track in tracks)
        return self._row_count < before


class KeptHistories:
    """The histories that were asked for last. Threads may share it."""

    def __init__(self, max_runs: int = _MAX_RUNS) -> None:
        self._max_runs = max_runs
        self._kept: OrderedDict[tuple[str, str], tuple[threading.Lock, LayerHistory]]
        self._kept = OrderedDict()
        self._lock = threading.Lock()

    def use(self, store: Store, run_id: str) -> _InUse:
        """Return a context in which a run's history is up to date and nobody else's."""
        place = (store.target, run_id)
        with self._lock:
            if place not in self._kept:
                self._kept[place] = (threading.Lock(), LayerHistory())
            self._kept.move_to_end(place)
            while len(self._kept) > self._max_runs:
                self._kept.popitem(last=False)
            return _InUse(*self._kept[place], store, run_id)


class _InUse:
    def __init__(
        self, lock: threading.Lock, history: LayerHistory, store: Store, run_id: str
    ) -> None:
        self._lock, self._history = lock, history
        self._store, self._run_id = store, run_id

    def __enter__(self) -> LayerHistory:
        self._lock.acquire()
        try:
            self._history.read_on(self._store, self._run_id)
        except BaseException:
            self._lock.release()
            raise
        return self._history

    def __exit__(self, *error: object) -> None:
        self._lock.release()


KEPT = KeptHistories()
