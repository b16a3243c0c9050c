"""Series for charts, compared with what a loop over the points gives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from quark.clock import format_timestamp
from quark.dashboard.views.drawn import Kept, KeptCurves
from quark.dashboard.views.series import Curve, curve, cut_curve, within
from quark.errors import RunNotFoundError, SchemaValidationError
from quark.storage.embedded import EmbeddedStore
from quark.storage.model import NO_STEP, Batch, PointBlock
from tests.dashboard.asking import ask
from tests.storage.building import START_US, batch, create_run, log, losses, record

CREATED = format_timestamp(START_US)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / ".quark")
    create_run(store, created_at=CREATED)
    yield store
    store.close()


def series(store: EmbeddedStore, *keys: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(store, "/charts", run="run-1", key=list(keys), **query)[
        "series"
    ]
    return found


def rows(*keys: str, steps: Any, values: Any, epochs: Any = None, writer: str = "w1") -> Batch:
    """One batch with a row every second."""
    count = len(values)
    block = PointBlock(
        keys=keys,
        seq=np.arange(count) + 1,
        step=np.full(count, NO_STEP) if steps is None else np.asarray(steps, dtype=np.int64),
        epoch=np.full(count, NO_STEP) if epochs is None else np.asarray(epochs, dtype=np.int64),
        time_us=START_US + np.arange(count) * 1_000_000,
        values=np.asarray(values, dtype=np.float64).reshape(count, len(keys)),
    )
    return batch(1, count, block, writer_id=writer)


def test_a_short_series_comes_as_it_is_and_says_what_is_no_number(store: EmbeddedStore) -> None:
    values = [1.0, math.nan, 3.0, math.inf, -math.inf, 6.0]
    log(store, losses(1, values))

    (whole,) = series(store, "loss")
    (thin,) = series(store, "loss", thin=1)

    assert whole["x"] == [0, 1, 2, 3, 4, 5]
    assert whole["mean"] == [1.0, None, 3.0, None, None, 6.0]
    assert whole["min"] == whole["max"] == whole["last"] == whole["mean"]
    assert whole["count"] == [1] * 6
    assert whole["nonfinite"] == 3
    assert whole["bad"] == [[1, 1, "NaN"], [3, 1, "Infinity"], [4, 1, "-Infinity"]]
    assert thin.keys() == {"run", "key", "axis", "x", "mean", "nonfinite", "bad", "left_out"}


@pytest.mark.parametrize("axis", ["step", "elapsed", "time", "epoch", "key:seen"])
def test_a_long_series_is_cut_alike_along_every_axis(store: EmbeddedStore, axis: str) -> None:
    count = 3000
    loss = np.sin(np.arange(count) / 50) + 2
    loss[1234] = np.nan
    seen = np.arange(count) * 32.0
    steps = np.arange(count) * 2
    store.append(rows("loss", "seen", steps=steps, values=np.stack([loss, seen], 1), epochs=steps))
    place = {
        "step": steps.astype(float),
        "elapsed": np.arange(count, dtype=float),
        "time": START_US / 1e6 + np.arange(count),
        "epoch": steps.astype(float),
        "key:seen": seen,
    }[axis]
    low, high = place[1000], place[2000]

    (whole,) = series(store, "loss", x=axis, buckets=100)
    (part,) = series(store, "loss", x=axis, buckets=100, from_=low, to=high)

    for cut, chosen in ((whole, place >= 0), (part, (place >= low) & (place <= high))):
        assert cut["axis"] == axis
        assert len(cut["x"]) <= 100
        # A neighbour more on each side, or a bucket, where the store cuts.
        assert abs(sum(cut["count"]) - int(chosen.sum())) <= 2 * max(cut["count"])
        assert cut["nonfinite"] == int(np.isnan(loss[chosen]).sum())
        assert min(cut["min"]) == pytest.approx(np.nanmin(loss[chosen]), abs=0.05)
        edges = [*cut["x"], math.inf]
        for start, end, least, most, mean in zip(
            edges, edges[1:], cut["min"], cut["max"], cut["mean"], strict=False
        ):
            inside = [
                value
                for at, value in zip(place, loss, strict=True)
                if start <= at < end and value == value
            ]
            if end != math.inf:  # the last bucket of a part ends before the series does
                assert (least, most) == (min(inside), max(inside))
                assert mean == pytest.approx(sum(inside) / len(inside))


def test_a_zoom_keeps_a_neighbour_on_each_side_so_that_lines_reach_the_edge(
    store: EmbeddedStore,
) -> None:
    log(store, losses(1, [float(number) for number in range(20)]))

    (part,) = series(store, "loss", from_=4.5, to=6.5)

    assert part["x"] == [4, 5, 6, 7]


def test_points_without_steps_are_drawn_along_time(store: EmbeddedStore) -> None:
    store.append(rows("gpu", steps=None, values=[1.0, 2.0, 3.0]))
    log(store, losses(1, [1.0] * 3), writer_id="w2")

    gpu, loss = series(store, "gpu", "loss", from_=0, to=1)

    assert (gpu["axis"], gpu["x"], gpu["mean"]) == ("elapsed", [0.0, 1.0, 2.0], [1.0, 2.0, 3.0])
    assert (loss["axis"], loss["x"]) == ("step", [0, 1, 2])


def test_a_metric_as_axis_gives_each_point_the_last_value_before_it(store: EmbeddedStore) -> None:
    store.append(rows("loss", steps=[0, 1, 2, 3, 4], values=[5, 4, 3, 2, 1]))
    store.append(rows("epoch", steps=[1, 3], values=[0, 1], writer="w2"))

    (along_epochs,) = series(store, "loss", x="key:epoch")
    (by_name,) = series(store, "loss", x="epoch")

    assert along_epochs["left_out"] == 1  # nobody knew of an epoch yet
    assert along_epochs["x"] == [0.0, 1.0]
    assert along_epochs["mean"] == [3.5, 1.5]  # of two steps each
    assert (along_epochs["min"], along_epochs["max"]) == ([3.0, 1.0], [4.0, 2.0])
    assert by_name["x"] == along_epochs["x"]


def test_what_is_asked_wrongly_is_refused_by_name(store: EmbeddedStore) -> None:
    with pytest.raises(SchemaValidationError, match="x 'wrong' is not known"):
        series(store, "loss", x="wrong")
    with pytest.raises(SchemaValidationError, match="more than 400 series"):
        series(store, *map(str, range(401)))
    with pytest.raises(RunNotFoundError, match="nobody"):
        ask(store, "/charts", run="nobody", key="loss")
    (unknown,) = series(store, "unknown")
    assert unknown["x"] == []


def test_phases_and_alerts_are_where_their_steps_are_on_each_axis(store: EmbeddedStore) -> None:
    store.append(rows("train/loss", steps=np.arange(100) * 10, values=np.ones(100)))
    words: dict[str, Any] = {
        "summary": "s",
        "fact": "f",
        "inference": "i",
        "category": "optimization",
    }
    alert: dict[str, Any] = {"rule_id": "r", "severity": "error", "title": "Bad", **words}
    store.append(
        batch(
            1,
            4,
            record(
                1, "phase", phase_name="p", display_name="P", step_start=0, step_end=495, **words
            ),
            record(2, "alert", step_start=500, step_end=500, **alert, metadata={"subject": "lr"}),
            record(3, "alert", **alert),
            # Of an analysis that never came to its end: it does not count.
            record(4, "alert", step_start=1, metadata={"analysis_id": "a"}, **alert),
            writer_id="judge",
        )
    )

    by_step = ask(store, "/runs/{run_id}/marks", {"run_id": "run-1"})
    by_time = ask(store, "/runs/{run_id}/marks", {"run_id": "run-1"}, x="elapsed")

    assert [(one["from"], one["to"], one["label"]) for one in by_step["phases"]] == [(0, 495, "P")]
    assert [(one["at"], one["keys"]) for one in by_step["alerts"]] == [(500, ["lr"])]
    assert [(one["from"], one["to"]) for one in by_time["phases"]] == [(0.0, 50.0)]
    assert [one["at"] for one in by_time["alerts"]] == [50.0]


@settings(max_examples=40)
@given(
    x=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60),
    buckets=st.integers(1, 20),
)
def test_no_point_is_lost_whatever_the_axis(x: list[float], buckets: int) -> None:
    y = np.arange(len(x), dtype=np.float64)
    placed = curve(np.array(x), y, np.ones(len(x), dtype=bool))

    cut = cut_curve(placed, buckets)

    assert sum(cut["count"]) == len(x)
    assert len(cut["x"]) <= buckets
    assert cut["x"] == sorted(cut["x"])
    assert (min(cut["min"]), max(cut["max"])) == (0, len(x) - 1)
    assert all(
        low <= mean <= high
        for low, mean, high in zip(*(cut[n] for n in ("min", "mean", "max")), strict=True)
    )
    everything = within(placed, None, None)
    assert len(everything.x) == len(x)


def test_long_series_are_kept_up_to_a_size() -> None:
    kept = KeptCurves(1000)
    reads: list[str] = []

    def get(name: str, count: int) -> None:
        def read() -> Curve:
            reads.append(name)
            return Curve(np.zeros(count), np.zeros(count), 0)

        kept.get(Kept("t", "r", name, "time", count, 0, 0), read)

    for name in ("a", "b", "a", "c", "a", "b", "huge", "a"):
        get(name, 100 if name == "huge" else 30)

    assert reads == ["a", "b", "c", "b", "huge"]
