"""Layers over steps: matrices, one layer's page, histograms; numbers got a second, slower way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quark import TrainingSession
from quark.dashboard.views import layer_history
from quark.dashboard.views.distributions import Histogram, quantiles, rebinned
from quark.dashboard.views.heat import BY_NAME, MEASURES, badness, heat_of, rows_of
from quark.dashboard.views.layer_history import KeptHistories, LayerHistory
from quark.errors import RunNotFoundError, SchemaValidationError
from quark.records import HistoryValueRecord, LayerSummaryRecord, ParameterSummaryRecord
from quark.storage.embedded import EmbeddedStore
from tests.dashboard.asking import ask
from tests.dashboard.trained import train_dead_network


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedStore, str]]:
    folder = tmp_path_factory.mktemp("dead")
    run_id = train_dead_network(folder)
    store = EmbeddedStore(folder / ".quark")
    yield store, run_id
    store.close()


def layers(store: EmbeddedStore, run_id: str, **query: Any) -> dict[str, Any]:
    return ask(store, "/runs/{run_id}/layers", {"run_id": run_id}, **query)


def emit_layer(session: TrainingSession, step: int, name: str, **fields: Any) -> None:
    given = {"summary_type": "gradient", "hook_direction": "backward", "element_count": 4, **fields}
    session.handle.emit(
        LayerSummaryRecord, step=step, module_name=name, module_type="Linear", **given
    )


@pytest.mark.parametrize("measure", ["gradient_norm", "dead_units", "activation_std"])
@pytest.mark.parametrize("columns", [7, 200])
def test_cells_are_what_the_records_say(
    dead: tuple[EmbeddedStore, str], measure: str, columns: int
) -> None:
    store, run_id = dead
    wanted = BY_NAME[measure]

    found = layers(store, run_id, measure=measure, columns=columns)

    kind = {"gradients": "gradient", "activations": "activation"}[wanted.of]
    records = [
        one
        for one in store.records.read(LayerSummaryRecord, run_id)
        if one.summary_type == kind and getattr(one, wanted.field) is not None
    ]
    assert [one["name"] for one in found["rows"]] == ["0", "1", "2", "3", "4"]
    assert len(found["starts"]) == min(columns, 24)
    for row, values in zip(found["rows"], found["values"], strict=True):
        for start, end, value in zip(found["starts"], found["ends"], values, strict=True):
            inside = [
                getattr(one, wanted.field)
                for one in records
                if one.module_name == row["name"] and start <= one.step <= end
            ]
            expected = max(inside) if wanted.take == "greatest" else math.fsum(inside) / len(inside)
            assert value == pytest.approx(expected, rel=2e-3)
    assert found["nonfinite"] == []


def test_the_worst_layers_come_first_and_names_are_searched(
    dead: tuple[EmbeddedStore, str],
) -> None:
    store, run_id = dead

    worst = layers(store, run_id, measure="dead_units", sort="worst")
    searched = layers(store, run_id, measure="update_ratio", search="2.W")
    some = layers(store, run_id, measure="dead_units", offset=4)
    zoomed = layers(store, run_id, measure="dead_units", from_=10, to=20)

    assert worst["rows"][0]["name"] == "3"
    assert worst["rows"][0]["depth"] == 3
    assert [one["name"] for one in searched["rows"]] == ["2.weight"]
    assert searched["rows"][0]["module"] == "2"
    assert (some["total"], [one["name"] for one in some["rows"]]) == (5, ["4"])
    assert (zoomed["starts"][0], zoomed["ends"][-1]) == (10, 20)
    assert {one["name"]: one["rows"] for one in worst["measures"]}["update_ratio"] == 6
    with pytest.raises(SchemaValidationError, match="must be one of gradient_norm"):
        layers(store, run_id, measure="size")
    with pytest.raises(RunNotFoundError):
        layers(store, "no-such-run")


def test_what_is_missing_and_what_is_not_finite_are_told_apart(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="odd", storage_dir=tmp_path) as session:
        emit_layer(session, 0, "a", norm=1.0)
        emit_layer(session, 5, "a", norm=None, metadata={"nonfinite_count": 4})
        emit_layer(session, 0, "b", norm=0.0)
        emit_layer(session, 9, "b", norm=100.0)
    store = EmbeddedStore(tmp_path / ".quark")

    found = layers(store, session.run_id)
    worst = layers(store, session.run_id, sort="worst")

    assert found["starts"] == [0, 5, 9]
    rows = {one["name"]: place for place, one in enumerate(found["rows"])}
    assert found["values"][rows["a"]] == [1.0, None, None]
    assert found["values"][rows["b"]] == [0.0, None, 100.0]
    assert found["nonfinite"] == [[rows["a"], 1]]
    assert found["has_zero"]
    assert 1.0 <= found["low"] < found["high"] <= 100.0
    assert worst["rows"][0]["name"] == "a"
    store.close()


def test_a_running_run_is_read_on_from_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0
    take = LayerHistory._layer

    def counted(history: LayerHistory, step: int, body: Any) -> int:
        nonlocal seen
        seen += 1
        return take(history, step, body)

    monkeypatch.setattr(LayerHistory, "_layer", counted)
    kept = KeptHistories()
    with TrainingSession.start_run(project="grows", storage_dir=tmp_path) as session:
        store = EmbeddedStore(tmp_path / ".quark")
        for step in range(6):
            emit_layer(session, step, "a", norm=float(step))
            session.flush()
            with kept.use(store, session.run_id) as history:
                _, norms = history.gradients["a", 0, ""].column("norm")
            assert norms.tolist() == [float(one) for one in range(step + 1)]
    assert seen == 6
    store.close()


def test_a_long_run_is_thinned_out_and_keeps_what_is_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_history, "MAX_ROWS", 1_000)
    with TrainingSession.start_run(project="long", storage_dir=tmp_path) as session:
        for step in range(4_000):
            bad = {"nonfinite_count": 1} if step == 3_333 else {}
            emit_layer(session, step, "a", norm=float(step), metadata=bad)
    store = EmbeddedStore(tmp_path / ".quark")
    history = LayerHistory()

    history.read_on(store, session.run_id)

    track = history.gradients["a", 0, ""]
    steps, norms = track.column("norm")
    assert history.is_thinned
    assert history.probe_count == 4_000
    assert 200 <= len(steps) <= 1_000
    assert (steps == norms).all()
    assert steps[0] == 0
    assert steps[-1] > 3_900
    assert track.bad().sum() == 1
    heat = heat_of(rows_of(history, BY_NAME["gradient_norm"]), BY_NAME["gradient_norm"], 50)
    assert heat.nonfinite.sum() == 1
    assert np.isfinite(heat.value).all()
    store.close()


def test_a_layers_page_has_its_series_and_parameters(dead: tuple[EmbeddedStore, str]) -> None:
    store, run_id = dead

    found = ask(store, "/runs/{run_id}/layer", {"run_id": run_id}, name="2")

    assert (found["type"], found["before"], found["after"]) == ("Linear", "1", "3")
    charts = {one["title"]: one["series"] for one in found["charts"]}
    records = [
        one
        for one in store.records.read(LayerSummaryRecord, run_id)
        if one.module_name == "2" and one.summary_type == "gradient"
    ]
    assert charts["Gradient norm"][0]["y"] == [one.norm for one in records]
    weight, bias = found["parameters"]
    assert (weight["name"], weight["shape"], bias["element_count"]) == ("2.weight", [16, 16], 16)
    ratios = {one["title"]: one["series"][0] for one in weight["charts"]}["Update ratio"]
    told = [
        (one.step, one.update_to_value_ratio)
        for one in store.records.read(ParameterSummaryRecord, run_id)
        if one.parameter_name == "2.weight" and one.update_to_value_ratio is not None
    ]
    assert list(zip(ratios["x"], ratios["y"], strict=True)) == told
    assert {"parameter": "2.weight", "kind": "value"} in found["distributions"]
    with pytest.raises(SchemaValidationError, match="Nothing was measured"):
        ask(store, "/runs/{run_id}/layer", {"run_id": run_id}, name="nowhere")


def test_histograms_over_time_keep_all_elements(dead: tuple[EmbeddedStore, str]) -> None:
    store, run_id = dead

    found = ask(
        store,
        "/runs/{run_id}/distribution",
        {"run_id": run_id},
        name="2",
        parameter="2.weight",
        columns=10,
    )

    assert (len(found["steps"]), found["total"], found["is_cut"]) == (10, 24, False)
    assert (found["steps"][0], found["steps"][-1]) == (0, 46)
    for shares, (low, middle, high) in zip(found["share"], found["quantiles"], strict=True):
        assert sum(shares) == pytest.approx(1.0, abs=2e-3)
        assert low < middle < high


def test_rebinning_spreads_every_bin_evenly() -> None:
    chance = np.random.default_rng(1)
    edges = np.sort(chance.normal(size=9))
    one = Histogram(0, edges, chance.integers(0, 50, 8).astype(float))
    wanted = np.linspace(-1.0, 1.0, 6)

    found = rebinned(one, wanted)

    slow = np.zeros(5)
    for left, right, count in zip(edges[:-1], edges[1:], one.counts, strict=True):
        for place in range(5):
            low = -np.inf if place == 0 else wanted[place]
            high = np.inf if place == 4 else wanted[place + 1]
            inside = max(0.0, min(right, high) - max(left, low))
            slow[place] += count * inside / (right - left)
    assert found == pytest.approx(slow / one.counts.sum())
    elements = np.concatenate(
        [
            np.linspace(left, right, 2_000 * int(count), endpoint=False)
            for left, right, count in zip(edges[:-1], edges[1:], one.counts, strict=True)
        ]
    )
    assert quantiles(one) == pytest.approx(np.quantile(elements, (0.05, 0.5, 0.95)), abs=1e-3)
    equal = Histogram(0, np.array([0.5, 0.5]), np.array([7.0]))
    assert rebinned(equal, wanted).tolist() == [0.0, 0.0, 0.0, 1.0, 0.0]


def test_values_that_only_look_like_histograms_are_left_out(tmp_path: Path) -> None:
    good = {"_type": "histogram", "values": [1, 2], "bins": [0.0, 1.0, 2.0]}
    odd: list[Any] = [
        {"_type": "histogram", "values": [1, 2], "bins": [0.0, 1.0]},
        {"_type": "histogram", "values": "ab", "bins": None},
        {"_type": "histogram", "values": [1, -2], "bins": [0.0, 1.0, 2.0]},
        {"_type": "histogram", "values": [1, 2], "bins": [3.0, 1.0, 2.0]},
        {"_type": "histogram", "values": [], "bins": [1.0]},
        {"_type": "histogram", "values": [[1], [2]], "bins": [[1], [2], [3]]},
        "histogram",
    ]
    with TrainingSession.start_run(project="odd", storage_dir=tmp_path) as session:
        session.handle.emit(
            ParameterSummaryRecord,
            step=0,
            module_name="a",
            module_type="Linear",
            parameter_name="a.weight",
            parameter_role="weight",
            element_count=3,
        )
        for step, value in enumerate([*odd, good]):
            session.handle.emit(
                HistoryValueRecord, key="gradients/a.weight", value=value, step=step
            )
    store = EmbeddedStore(tmp_path / ".quark")
    names = {"run_id": session.run_id}

    listed = ask(store, "/runs/{run_id}/layer", names, name="a")["distributions"]
    found = ask(
        store,
        "/runs/{run_id}/distribution",
        names,
        name="a",
        parameter="a.weight",
        kind="gradient",
        bins=2,
    )

    assert listed == [{"parameter": "a.weight", "kind": "gradient"}]
    assert found["steps"] == [len(odd)]
    assert found["share"] == [[0.3333, 0.6667]]
    store.close()


def test_nothing_measured_is_an_empty_picture(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="bare", storage_dir=tmp_path) as session:
        pass
    store = EmbeddedStore(tmp_path / ".quark")

    found = layers(store, session.run_id)

    assert (found["rows"], found["values"], found["starts"], found["total"]) == ([], [], [], 0)
    assert all(one["rows"] == 0 for one in found["measures"])
    heat = heat_of({}, MEASURES[0], 10)
    assert badness(heat, MEASURES[0]).tolist() == []
    store.close()
