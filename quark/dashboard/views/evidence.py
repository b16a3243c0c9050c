"""What an alert rests on, as small charts with the steps in question marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from quark import jsonio
from quark.analyzers.outputs import current_outputs
from quark.analyzers.roles import ROLES, choose_roles
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.evidence_plans import METRICS, PLANS, WORDS, Plan
from quark.dashboard.views.layer_history import KEPT, LayerHistory, Track
from quark.errors import SchemaValidationError
from quark.records import AlertRecord, AnalysisRecord
from quark.storage.model import NO_STEP, RecordFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.records import EvidenceRecord
    from quark.storage.model import KeyStats
    from quark.storage.protocols import Store

#: Charts of one alert.
MAX_CHARTS = 5
_MAX_POINTS = 400
#: Records of one kind that are looked at for a chart.
_MAX_RECORDS = 200_000
_LOSSES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
_LOGGED = re.compile(r"^the times at which (.+) was logged$")

Line = dict[str, Any]


def evidence(place: Place, asked: Asked) -> dict[str, Any]:
    """Return the charts of one alert.

    Asked: ``alert``, its id.

    Each chart has lines over steps, the range of steps that the evidence is about, what was
    observed and what the threshold was, and what it is a chart of.
    """
    run_id, wanted = asked["run_id"], asked.text("alert") or ""
    alerts = current_outputs(place.store, run_id, AlertRecord, "alerts")
    alert = next((one for one in alerts if one.id == wanted), None)
    if alert is None:
        raise SchemaValidationError(
            f"Alert {wanted[:80]!r} does not count any more; the run was judged anew. Load the "
            "page again."
        )
    with KEPT.use(place.store, run_id) as history:
        return {"charts": Drawing(place.store, run_id, history, alert).charts()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chart:
    """A chart to be: ``key`` tells it from others."""

    key: tuple[Any, ...]
    title: str
    lines: list[Line]
    unit: str = ""
    log: bool = False
    link: dict[str, str] | None = None


class Drawing:
    """The charts of one alert.

    Args:
        history: What was measured of layers and parameters.
    """

    def __init__(
        self, store: Store, run_id: str, history: LayerHistory, alert: AlertRecord
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._history = history
        self._alert = alert
        self._keys: Mapping[str, KeyStats] = store.points.keys(run_id)
        self._roles = _roles(store, run_id, self._keys)
        self._plan = PLANS.get(alert.rule_id, METRICS)

    def charts(self) -> list[dict[str, Any]]:
        """Return them; the loss, for what happened meanwhile, comes last."""
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for one in self._alert.evidence:
            for chart in self._of_evidence(one):
                if chart.key not in found and len(found) < MAX_CHARTS - 1:
                    found[chart.key] = self._said(chart, one)
        for chart in self._of_rule():
            if chart.key not in found and len(found) < MAX_CHARTS - 1:
                found[chart.key] = self._said(chart, None)
        for role in _LOSSES[:2]:
            chart_or_none = self._of_metric(self._roles.get(role, ""))
            if chart_or_none is None or chart_or_none.key in found or len(found) >= MAX_CHARTS:
                continue
            found[chart_or_none.key] = self._said(chart_or_none, None, meanwhile=True)
        return list(found.values())

    def _said(
        self, chart: _Chart, one: EvidenceRecord | None, *, meanwhile: bool = False
    ) -> dict[str, Any]:
        start, end = (None, None) if one is None else (one.step_start, one.step_end)
        onset = self._alert.metadata.get("onset_step")
        if start is None:
            start, end = self._alert.step_start, self._alert.step_end
        return {
            "title": chart.title,
            "unit": chart.unit,
            "log": _spans_decades(chart.lines, 50 if chart.log else 1e4),
            "series": chart.lines,
            "from": start,
            "to": start if end is None else end,
            "onset": onset if isinstance(onset, int) else None,
            "summary": "" if one is None else one.summary,
            "observed": None if one is None else one.observed_value,
            "threshold": None if one is None else one.threshold_value,
            "link": chart.link,
            "meanwhile": meanwhile,
        }

    # -- where numbers are ---------------------------------------------------------------------

    def _of_evidence(self, one: EvidenceRecord) -> Iterator[_Chart]:
        named = self._roles.get(one.source, one.source) if one.source in ROLES else one.source
        logged = _LOGGED.match(one.source)
        if logged is not None:
            yield from self._of_times(logged.group(1))
            return
        metric = self._of_metric(named)
        if metric is not None:
            yield metric
            return
        measure = str(one.metadata.get("measure") or "")
        yield from self._of_layer(one.source, measure)
        if one.source in self._history.parameters:
            yield self._of_parameter(one.source)

    def _of_rule(self) -> Iterator[_Chart]:
        plan: Plan = self._plan
        if plan.times:
            yield from self._of_times(self._roles.get("train_loss", ""))
        for fields in plan.loop:
            yield from self._of_records("training_loop", fields)
        for fields in plan.telemetry:
            yield from self._of_records("system_telemetry", fields)
        if plan.batch:
            yield from self._of_records("batch_diagnostic", plan.batch)
        if self._alert.rule_id == "momentum_extreme" or not plan.loop:
            subject = self._alert.metadata.get("subject")
            metric = self._of_metric(subject) if isinstance(subject, str) else None
            if metric is not None:
                yield metric
        rate = self._roles.get("learning_rate")
        if rate is not None and self._alert.rule_id.startswith("learning_rate"):
            metric = self._of_metric(rate)
            if metric is not None:
                yield metric

    def _of_metric(self, key: str) -> _Chart | None:
        stats = self._keys.get(key)
        if stats is None:
            return None
        if stats.step_min is None:
            series = self._store.points.series(self._run_id, key)
            line = _line(key, np.arange(len(series)), series.value)
        else:
            found = self._store.points.buckets(self._run_id, key, _MAX_POINTS)
            line = {
                "label": key,
                "x": found.step_start.tolist(),
                "y": found.mean.tolist(),
                "min": found.minimum.tolist(),
                "max": found.maximum.tolist(),
            }
        link = {"kind": "metric", "name": key}
        return _Chart(key=("metric", key), title=key, lines=[line], link=link)

    def _of_times(self, key: str) -> Iterator[_Chart]:
        if key not in self._keys:
            return
        series = self._store.points.series(self._run_id, key)
        known = series.step != NO_STEP
        step, time_us = series.step[known], series.time_us[known]
        counts = np.diff(step)
        keep = counts > 0
        if not keep.any():
            return
        milliseconds = np.diff(time_us)[keep] / 1000.0 / counts[keep]
        line = _line("time of a step", step[1:][keep], milliseconds, greatest=True)
        title = f"Time of a step, by when {key} was logged"
        yield _Chart(key=("times", key), title=title, lines=[line], unit="ms")

    def _of_layer(self, name: str, measure: str) -> Iterator[_Chart]:
        tracks = list(self._history.of_module(name))
        if not tracks:
            return
        field = measure if measure in tracks[0].columns else self._plan.layer
        mine = [one for one in tracks if one.facts["summary_type"] == self._plan.summary]
        if not mine or name in self._history.parameters:
            mine = mine or tracks[:1]
        what = f"{WORDS[field][0]} of the {mine[0].facts['summary_type']}s"
        if field in ("dead_unit_ratio", "saturation_ratio"):
            what = WORDS[field][0]
        lines = [
            line
            for number, one in enumerate(mine[:4])
            if (line := _of_track(one, field, name if len(mine) == 1 else f"call {number + 1}"))[
                "x"
            ]
        ]
        if lines:
            yield _Chart(
                key=("layer", name, field),
                title=f"{name or 'the model'} ({mine[0].facts.get('module_type', '')}): {what}",
                lines=lines,
                unit=WORDS[field][1],
                log=self._plan.log,
                link={"kind": "layer", "name": name},
            )

    def _of_parameter(self, name: str) -> _Chart:
        track, field = self._history.parameters[name], self._plan.parameter
        if not _of_track(track, field, name)["x"]:
            field = "value_norm"
        return _Chart(
            key=("parameter", name, field),
            title=f"{name}: {WORDS[field][0]}",
            lines=[_of_track(track, field, name)],
            unit=WORDS[field][1],
            log=self._plan.log,
            link={"kind": "layer", "name": str(track.facts.get("module_name", ""))},
        )

    def _of_records(self, kind: str, fields: tuple[str, ...]) -> Iterator[_Chart]:
        columns = _columns(self._store, self._run_id, kind, fields, self._guide())
        lines = [
            line
            for name in fields
            if (line := _line(WORDS[name][0], columns["step"], columns[name]))["x"]
        ]
        if lines:
            words = [WORDS[name][0] for name in fields]
            title = words[0][:1].upper() + words[0][1:]
            yield _Chart(
                key=(kind, fields),
                title=title if len(words) == 1 else f"{title}, and {', '.join(words[1:])}",
                lines=lines,
                unit=WORDS[fields[0]][1],
            )

    def _guide(self) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Return times and steps of the metric that tells best when a step was."""
        with_steps = [one for one in self._keys.values() if one.step_min is not None]
        key = self._roles.get("train_loss", "")
        if key not in self._keys or self._keys[key].step_min is None:
            if not with_steps:
                return None
            key = max(with_steps, key=lambda one: one.count).key
        series = self._store.points.series(self._run_id, key)
        known = series.step != NO_STEP
        order = np.argsort(series.time_us[known], kind="stable")
        return series.time_us[known][order], series.step[known][order]


def _roles(store: Store, run_id: str, keys: Mapping[str, KeyStats]) -> dict[str, str]:
    """Return which metric plays which role: what the last analysis took for it, else by name."""
    where = RecordFilter(equals={"family": "alerts"})
    analyses = store.records.read(AnalysisRecord, run_id, where)
    found = {role: names[0] for role, names in choose_roles(list(keys)).keys.items() if names}
    said = analyses[-1].metadata.get("roles") if analyses else None
    if isinstance(said, Mapping):
        for role, names in said.items():
            if isinstance(names, (list, tuple)) and names:
                found[str(role)] = str(names[0])
    return found


def _columns(
    store: Store,
    run_id: str,
    kind: str,
    fields: tuple[str, ...],
    guide: tuple[NDArray[np.int64], NDArray[np.int64]] | None,
) -> dict[str, NDArray[Any]]:
    """Return fields of records by step.

    A record without a step is of the last step that ``guide``, times and steps, had by then;
    without a guide, records are counted.
    """
    rows: list[tuple[float, ...]] = []
    for part in store.records.scan(run_id, (kind,)):
        for one in part:
            body = jsonio.loads(one.body)
            numbers = (body.get(name) for name in fields)
            step = -1 if one.step is None else one.step
            values = (np.nan if value is None else float(value) for value in numbers)
            rows.append((step, one.time_us, *values))
        if len(rows) > _MAX_RECORDS:
            rows = rows[::2]
    table = np.array(rows, np.float64).reshape(-1, len(fields) + 2)
    steps = table[:, 0].astype(np.int64)
    without = steps < 0
    if guide is not None and len(guide[0]):
        place = np.searchsorted(guide[0], table[without, 1], side="right") - 1
        steps[without] = guide[1][np.maximum(place, 0)]
    elif without.all():
        steps = np.arange(len(steps))
    order = np.argsort(steps, kind="stable")
    columns = {name: table[order, n + 2] for n, name in enumerate(fields)}
    return {"step": steps[order], **columns}


def _of_track(track: Track, field: str, label: str) -> Line:
    steps, values = track.column(field)
    return _line(label, steps, values)


def _line(
    label: str, steps: NDArray[np.int64], values: NDArray[np.float64], *, greatest: bool = False
) -> Line:
    """Return a line of at most so many points, with the band of what it leaves out."""
    known = np.isfinite(values)
    steps, values = steps[known], values[known]
    if len(steps) <= _MAX_POINTS:
        return {"label": label, "x": steps.tolist(), "y": values.tolist()}
    places = np.linspace(0, len(steps), _MAX_POINTS + 1).astype(np.int64)
    means = np.add.reduceat(values, places[:-1]) / np.diff(places)
    most = np.maximum.reduceat(values, places[:-1])
    return {
        "label": label,
        "x": steps[places[:-1]].tolist(),
        "y": (most if greatest else means).tolist(),
        "min": np.minimum.reduceat(values, places[:-1]).tolist(),
        "max": most.tolist(),
    }


def _spans_decades(lines: list[Line], factor: float) -> bool:
    """Say whether a logarithmic axis shows more: positive numbers of very different sizes."""
    numbers = [y for line in lines for y in line["y"] if y is not None and y == y]
    positive = [y for y in numbers if y > 0]
    return bool(positive) and len(positive) == len(numbers) and max(numbers) > factor * min(numbers)
