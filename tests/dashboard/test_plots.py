"""Charts of ``wandb.plot``, tables made of tables, and histograms over steps, as views answer."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import quark.compat.wandb as wandb
from quark.compat.wandb import environment
from quark.dashboard.views.media_reading import KeptLately, ReadTable, joined
from quark.dashboard.views.plots_drawn import bin_edges, drawing_of, thinned
from quark.dashboard.views.plots_named import plots_of
from quark.errors import ArtifactNotFoundError, SchemaValidationError
from quark.storage.embedded import EmbeddedStore
from tests.dashboard.asking import ask
from tests.dashboard.plotting import ANIMALS, RUN_ID, outcomes, write

NAMES = {"run_id": RUN_ID}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """What the script of :mod:`tests.dashboard.plotting` logs."""
    folder = tmp_path_factory.mktemp("plots")
    environment.forget()
    write(dir=str(folder), settings=wandb.Settings(console="off", silent=True))
    store = EmbeddedStore(folder / ".quark")
    yield store
    store.close()
    environment.forget()


def item_of(store: EmbeddedStore, key: str, **query: Any) -> dict[str, Any]:
    (item,) = ask(store, "/runs/{run_id}/media/value", NAMES, key=key, **query)["items"]
    found: dict[str, Any] = item
    return found


def plot(store: EmbeddedStore, name: str, **query: Any) -> dict[str, Any]:
    key = f"{name}_table"
    paths = item_of(store, key, **query)["paths"]
    return ask(store, "/runs/{run_id}/media/plot", NAMES, key=key, path=paths)


def rows_of(store: EmbeddedStore, key: str) -> list[list[Any]]:
    item = item_of(store, key)
    asked = {"path": item["paths"]} if "paths" in item else {"key": key, "step": item["step"]}
    found = ask(store, "/runs/{run_id}/media/table", NAMES, limit=1000, **asked)
    rows: list[list[Any]] = found["rows"]
    return rows


def test_tables_that_charts_are_drawn_from_say_so(store: EmbeddedStore) -> None:
    keys = ask(store, "/runs/{run_id}/media", NAMES)["keys"]

    shown = {one["key"]: (one["kind"], (one["plot"] or {}).get("kind")) for one in keys}
    assert shown == {
        "confusion_table": ("plot", "matrix"),
        "roc_table": ("plot", "curve"),
        "pr_table": ("plot", "curve"),
        "eval/line_table": ("plot", "line"),
        "eval/scatter_table": ("plot", "scatter"),
        "eval/bar_table": ("plot", "bar"),
        "eval/histogram_table": ("plot", "histogram"),
        "eval/series_table": ("plot", "line"),
        "no numbers_table": ("plot", "scatter"),
        "custom_table": ("table", "none"),
        "weights": ("histogram", None),
        "joined": ("table", None),
        "joined parts": ("table", None),
        "shards": ("table", None),
        "elsewhere": ("table", None),
    }
    confusion = next(one["plot"] for one in keys if one["key"] == "confusion_table")
    assert (confusion["name"], confusion["title"]) == ("confusion", "Who is taken for whom")
    assert next(one["steps"] for one in keys if one["key"] == "roc_table") == [0, 1, 2]


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_confusion_matrix_counts_as_a_loop_does(store: EmbeddedStore, step: int) -> None:
    truth, likely = outcomes(step)
    pairs = Counter(zip(truth, likely.argmax(axis=1).tolist(), strict=True))

    found = plot(store, "confusion", step=step)

    assert found["classes"] == list(ANIMALS)
    for row in range(len(ANIMALS)):
        assert found["counts"][row] == [pairs[row, column] for column in range(len(ANIMALS))]
        assert found["row_sums"][row] == truth.count(row)
    assert found["total"] == len(truth)
    assert found["correct"] == sum(pairs[place, place] for place in range(len(ANIMALS)))
    assert found["columns"]["actual"] == "Actual"


def test_the_area_under_a_roc_curve_is_how_often_a_pair_is_in_order(store: EmbeddedStore) -> None:
    truth, likely = outcomes(2)

    found = plot(store, "roc")

    assert found["diagonal"]
    assert (found["x_title"], found["y_title"]) == ("False positive rate", "True positive rate")
    assert [line["label"] for line in found["lines"]] == list(ANIMALS)
    for number, line in enumerate(found["lines"]):
        own = [p for p, t in zip(likely[:, number], truth, strict=True) if t == number]
        others = [p for p, t in zip(likely[:, number], truth, strict=True) if t != number]
        in_order = sum(one > other for one in own for other in others)
        assert line["area"] == pytest.approx(in_order / len(own) / len(others), abs=2e-3)
        assert line["x"] == sorted(line["x"])
        assert (line["x"][0], line["y"][0], line["x"][-1], line["y"][-1]) == (0, 0, 1, 1)
    precision = plot(store, "pr")
    assert not precision["diagonal"]
    assert precision["lines"][0]["x"] == pytest.approx(
        [place / 20 for place in range(21)], abs=1e-3
    )


def test_lines_points_bars_and_counts_are_those_of_the_table(store: EmbeddedStore) -> None:
    waves = plot(store, "eval/line")
    rows = rows_of(store, "eval/line_table")
    for line in waves["lines"]:
        own = [row for row in rows if row[2] == line["label"] and row[1] is not None]
        assert [line["x"], line["y"]] == [[row[0] for row in own], [row[1] for row in own]]
    assert (waves["rows"], waves["skipped"], waves["is_thinned"]) == (240, 3, False)
    assert (waves["x_title"], waves["title"]) == ("angle", "Two waves")

    cloud = plot(store, "eval/scatter")
    rows = rows_of(store, "eval/scatter_table")
    assert list(zip(cloud["y"], cloud["x"], strict=True)) == [tuple(row) for row in rows]
    assert cloud["count"] == [1] * len(rows)

    bars = plot(store, "eval/bar")["bars"]
    assert [[bar["label"], bar["value"]] for bar in bars] == rows_of(store, "eval/bar_table")

    counts = plot(store, "eval/histogram")
    heights = [row[0] for row in rows_of(store, "eval/histogram_table")]
    for number, count in enumerate(counts["counts"]):
        low, high = counts["edges"][number : number + 2]
        assert count == sum(low <= height < high for height in heights)
    assert sum(counts["counts"]) == len(heights)
    assert counts["mean"] == pytest.approx(sum(heights) / len(heights))

    series = plot(store, "eval/series")
    assert [line["label"] for line in series["lines"]] == [f"fold {k}" for k in range(4)]
    assert (series["x_title"], series["y_title"]) == ("epoch", "")


def test_what_cannot_be_drawn_says_why_and_stays_a_table(store: EmbeddedStore) -> None:
    assert "'someone/violin'" in plot(store, "custom")["reason"]
    assert "2 rows has numbers for its x and y" in plot(store, "no numbers")["reason"]
    assert rows_of(store, "no numbers_table") == [["no", "number"], ["in", "here"]]
    with pytest.raises(ArtifactNotFoundError, match="draws no chart"):
        ask(store, "/runs/{run_id}/media/plot", NAMES, key="weights", path="x")
    with pytest.raises(ArtifactNotFoundError, match="no file"):
        ask(store, "/runs/{run_id}/media/plot", NAMES, key="roc_table", path="../../run.db")
    with pytest.raises(SchemaValidationError, match="path is missing"):
        ask(store, "/runs/{run_id}/media/plot", NAMES, key="roc_table")


# -- what a config may say -------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(value=json_values, way=st.integers(0, 5))
def test_whatever_a_config_holds_is_read_without_a_fault(value: Any, way: int) -> None:
    panel: Any = value
    if way > 3:
        panel = {"panelDefId": "wandb/line/v0", "fieldSettings": value, "stringSettings": value}
    elif way > 2:
        panel = {"panelDefId": value, "userQuery": {"queryFields": value}}
    own: Any = [value, {"viz": value}, {"visualize": value}][way] if way < 3 else None
    config = {"_wandb": own or {"visualize": {"k": {"panel_config": panel}}}}
    table = ReadTable(["x", "y"], [[1, 2.0], ["<b>", None]], 10)

    for plot in plots_of(config).values():
        if plot.kind != "none":
            try:
                drawing_of(table, plot)
            except SchemaValidationError:
                continue


def test_charts_of_sklearn_are_drawn_too() -> None:
    own = {
        "viz": {"m": {"id": "wandb/confusion_matrix/v1"}, "p": {"id": "wandb/class_proportions/v1"}}
    }
    plots = plots_of({"_wandb": own})
    matrix = ReadTable(["Predicted", "Actual", "Count"], [["a", "b", 2], ["a", "a", 3]], 1)
    shares = ReadTable(["class", "dataset", "count"], [["a", "train", 2], ["a", "test", 1]], 1)

    assert drawing_of(matrix, plots["m"])["counts"] == [[0, 2], [0, 3]]
    bars = drawing_of(shares, plots["p"])
    assert [(bar["label"], bar["group"], bar["value"]) for bar in bars["bars"]] == [
        ("a", 0, 2.0),
        ("a", 1, 1.0),
    ]
    assert bars["groups"] == ["train", "test"]


# -- bounds ----------------------------------------------------------------------------------------


def drawn(spec: str, fields: dict[str, str], columns: list[str], rows: list[Any]) -> dict[str, Any]:
    panel = {"panelDefId": spec, "fieldSettings": fields, "stringSettings": {}}
    (plot,) = plots_of({"_wandb": {"visualize": {"k": {"panel_config": panel}}}}).values()
    return drawing_of(ReadTable(columns, rows, 1), plot)


def test_large_tables_are_thinned_and_say_so() -> None:
    chance = np.random.default_rng(0)
    count = 60_000
    y = chance.normal(size=count)
    y[31_415] = 50.0
    rows = [[float(place), float(value)] for place, value in enumerate(y)]

    line = drawn("wandb/line/v0", {"x": "x", "y": "y"}, ["x", "y"], rows)
    cloud = drawn("wandb/scatter/v0", {"x": "x", "y": "y"}, ["x", "y"], rows)
    bars = drawn("wandb/bar/v0", {"label": "x", "value": "y"}, ["x", "y"], rows[:5000])
    pairs = [[f"c{a}", f"c{b}", 1 + (a == b) * (a % 90)] for a in range(90) for b in range(90)]
    matrix = drawn(
        "wandb/confusion_matrix/v1",
        {"Actual": "a", "Predicted": "p", "nPredictions": "n"},
        ["a", "p", "n"],
        pairs,
    )

    for found in (line, cloud, bars, matrix):
        assert found["is_thinned"]
    (only,) = line["lines"]
    assert len(only["x"]) <= 24_000
    assert (max(only["y"]), min(only["y"])) == (50.0, y.min())
    assert only["count"] == count
    assert len(cloud["x"]) <= 5000
    assert sum(cloud["count"]) == count
    assert 31_415.0 in cloud["x"]
    kept = sorted((abs(bar["value"]) for bar in bars["bars"]), reverse=True)
    assert kept == sorted((abs(value) for value in y[:5000]), reverse=True)[:100]
    assert matrix["classes"] == [f"c{place}" for place in range(30, 90)]
    assert matrix["row_sums"][0] == 90 + 30


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(-5, 5)), min_size=1, max_size=200),
    st.integers(4, 40),
)
def test_a_thinned_line_keeps_the_ends_and_extremes_of_every_stretch(
    points: list[tuple[int, int]], room: int
) -> None:
    points.sort(key=lambda point: point[0])
    x, y = (np.array(column, float) for column in zip(*points, strict=True))

    kept = thinned(x, y, room).tolist()

    assert kept == sorted(set(kept))
    assert len(kept) <= room
    buckets = max(1, room // 4)
    width = x[-1] / buckets - x[0] / buckets
    stretches: dict[int, list[int]] = {}
    for place, value in enumerate(x):
        number = int((value - x[0]) / width) if width else 0
        stretches.setdefault(min(buckets - 1, number), []).append(place)
    for places in stretches.values():
        shown = [place for place in places if place in kept]
        assert (shown[0], shown[-1]) == (places[0], places[-1])
        assert max(y[shown]) == max(y[places])
        assert min(y[shown]) == min(y[places])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=50))
def test_every_value_is_in_a_bin(values: list[float]) -> None:
    edges = bin_edges(np.array(values))

    assert (np.diff(edges) > 0).all()
    assert np.histogram(values, edges)[0].sum() == len(values)
    assert len(edges) <= 60


def test_what_several_ask_for_at_once_is_read_once() -> None:
    kept = KeptLately(2, lambda one: 1)
    made: list[str] = []
    all_ask = threading.Barrier(4)

    def ask_for(name: str) -> str:
        def make() -> str:
            made.append(name)
            return name.upper()

        all_ask.wait(60)
        return str(kept.get(name, make))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask_for, "aaaa")) == ["A"] * 4
        assert list(pool.map(ask_for, "abab")) == ["A", "B", "A", "B"]
    assert sorted(made) == ["a", "b"]
    kept.get("c", lambda: "C")
    assert kept.get("a", lambda: "again") == "again" or kept.get("b", lambda: "again") == "again"


# -- tables that are made of tables ----------------------------------------------------------------


def test_a_joined_table_and_one_in_parts_are_tables(store: EmbeddedStore) -> None:
    item = item_of(store, "joined")
    assert (item["kind"], item["said"]) == ("table", "joined on id")
    found = ask(store, "/runs/{run_id}/media/table", NAMES, key="joined", step=item["step"])
    assert found["columns"] == ["id", "name (1)", "born", "name (2)"]
    assert found["rows"] == [
        [1, "Ada", 1815, "A."],
        [2, "Grace", 1906, "G."],
        [3, "Edith", None, None],
    ]

    assert item_of(store, "shards")["said"] == "3 parts of parts:v0"
    rows = rows_of(store, "shards")
    assert rows == [[10 * part + row, f"row {row}"] for part in range(3) for row in range(10)]
    searched = ask(
        store, "/runs/{run_id}/media/table", NAMES, key="shards", filter=["0:>=20"], sort=0
    )
    assert (searched["matched"], searched["total"]) == (10, 30)

    of_artifact = item_of(store, "joined parts")
    assert of_artifact["said"] == "joined on n = n2, of parts:v0"
    rows = rows_of(store, "joined parts")
    assert rows[3] == [3, "row 3", 6, 3]
    assert len(rows) == 10

    lost = item_of(store, "elsewhere")
    assert lost["kind"] == "lost"
    assert "folder 'nowhere', and there are no tables there" in lost["reason"]
    with pytest.raises(ArtifactNotFoundError, match="no table that is made"):
        ask(store, "/runs/{run_id}/media/table", NAMES, key="weights")


def test_an_artifacts_tables_and_media_are_drawn_and_not_only_read(store: EmbeddedStore) -> None:
    version = {"name": "parts", "project": "plots", "version": "v0"}

    def preview(path: str) -> Any:
        return ask(store, "/artifacts/preview", path=path, **version)

    def table(path: str, **query: Any) -> dict[str, Any]:
        return ask(store, "/artifacts/table", path=path, **version, **query)

    paths = [row["path"] for row in ask(store, "/artifacts/files", **version)["rows"]]
    shown = {path: (preview(path)["item"] or {}).get("kind") for path in paths if "." in path}
    assert shown == {
        "both.joined-table.json": "table",
        "doubled.table.json": "table",
        "first.image-file.json": "image",
        "seen.table.json": "table",
        "whole.partitioned-table.json": "table",
    }
    assert preview("doubled.table.json")["text"].startswith("{")

    rows = table("shards/1.table.json", sort=0, descending=1, filter=["0:<15"])
    assert (rows["total"], rows["matched"], rows["rows"][0]) == (10, 5, [14, "row 4"])
    assert table("whole.partitioned-table.json")["total"] == 30
    assert table("both.joined-table.json")["rows"][3] == [3, "row 3", 6, 3]
    seen = table("seen.table.json")
    assert seen["numeric"] == [False, True]
    picture = seen["rows"][2][0]["media"]
    assert (picture["caption"], picture["width"], picture["height"]) == ("noise 2", 12, 8)
    assert picture["boxes"][0]["labels"] == {"1": "noise"}
    assert picture["boxes"][0]["boxes"][0]["edges"] == [0.25, 0.25, 0.75, 0.75]
    assert "sha256" in picture  # of the file of the version
    for path in (picture["path"], preview("first.image-file.json")["item"]["path"]):
        assert preview(path)["kind"] == "image"

    for path in ("nosuch.table.json", "../doubled.table.json", ""):
        with pytest.raises(ArtifactNotFoundError):
            table(path)
    with pytest.raises(SchemaValidationError, match="is no table"):
        table("first.image-file.json")


@pytest.mark.parametrize("names", [("k", "k"), ("k", "other")])
def test_a_join_has_every_pair_once_and_every_row_without_a_partner(names: tuple[str, str]) -> None:
    nan = float("nan")
    left: list[list[Any]] = [[1, "a"], ["1", "b"], [None, "c"], [nan, "d"], [1.0, "e"], [[2], "f"]]
    right: list[list[Any]] = [[1, "A"], [1, "B"], [None, "C"], [[2], "D"], [7, "E"], [True, "F"]]
    one = ReadTable(["k", "left"], left, 1)
    other = ReadTable([names[1], "right"], right, 1)

    found = joined(one, other, names)

    pairs = [(a, b) for k, a in left for j, b in right if k is not None and k == j]
    got = [(row[1], row[-1]) for row in found.rows]
    assert [pair for pair in got if None not in pair] == pairs
    assert {a for a, b in got if b is None} == {a for _, a in left} - {a for a, _ in pairs}
    assert {b for a, b in got if a is None} == {b for _, b in right} - {b for _, b in pairs}
    assert len(found.columns) == len(found.rows[0]) == (3 if names[0] == names[1] else 4)
    if names[0] == names[1]:  # the key of a row that only the second table has
        assert [7, None, "E"] in found.rows
    with pytest.raises(SchemaValidationError, match="joined on 'nothing'"):
        joined(one, other, ("nothing", "k"))


def test_a_join_that_explodes_is_cut_and_says_so() -> None:
    same = ReadTable(["k"], [[0]] * 1000, 1)

    found = joined(same, same, ("k", "k"))

    assert len(found.rows) == 200_000
    assert "200000" in found.notice


# -- histograms over steps -------------------------------------------------------------------------


def test_histograms_over_steps_are_one_picture(store: EmbeddedStore) -> None:
    found = ask(store, "/runs/{run_id}/media/spread", NAMES, key="weights", bins=32)

    assert (found["total"], len(found["steps"])) == (40, 40)
    edges = found["edges"]
    assert len(edges) == 33
    for place in (0, 17, 39):
        item = item_of(store, "weights", step=found["steps"][place])
        slow = [0.0] * 32
        for number, count in enumerate(item["counts"]):
            low, high = item["bins"][number : number + 2]
            for column in range(32):
                overlap = min(high, edges[column + 1]) - max(low, edges[column])
                slow[column] += max(0.0, overlap) / (high - low) * count / sum(item["counts"])
        assert found["share"][place] == pytest.approx(slow, abs=2e-3)
        middle = found["quantiles"][place][1]
        below = sum(slow[column] for column in range(32) if edges[column + 1] <= middle)
        assert below == pytest.approx(0.5, abs=0.15)

    few = ask(store, "/runs/{run_id}/media/spread", NAMES, key="weights", columns=5)
    assert few["steps"] == [found["steps"][place] for place in (0, 10, 20, 29, 39)]
    assert few["total"] == 40
    text = ask(store, "/runs/{run_id}/media/spread", NAMES, key="joined")
    assert text["steps"] == []
