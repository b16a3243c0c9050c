"""Runs side by side, compared with what the runs themselves and the comparison engine say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings as chosen, strategies as st

from quark import MetricsLogger, TrainingSession
from quark.analyzers.comparison_engine import ComparisonEngine, ComparisonEngineConfig
from quark.analyzers.comparison_results import MetricTargetSpec, RunComparisonResult
from quark.dashboard.views.compare import flattened
from quark.dashboard.views.compare_diff import target_of
from quark.errors import RunNotFoundError, SchemaValidationError
from quark.session.reading import load_context
from quark.settings import Settings
from quark.storage.embedded import EmbeddedStore
from tests.dashboard.asking import ask

SPEEDS = (0.2, 0.7, 0.9)
CONFIGS: tuple[dict[str, Any], ...] = (
    {"lr": 0.1, "model": {"depth": 2, "sizes": [8, 16]}, "seed": 1},
    {"lr": 0.01, "model": {"depth": 2, "sizes": [8, 16]}, "seed": True},
    {"lr": 0.1, "model": {"depth": 2, "sizes": [8]}, "note": "<b>bold</b>" * 100},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs that learn at different speeds; the last one has a metric of its own."""
    folder = tmp_path_factory.mktemp("compared")
    for speed, config in zip(SPEEDS, CONFIGS, strict=True):
        run = TrainingSession.start_run(project="p", storage_dir=folder, config=config)
        with run as session, MetricsLogger(session) as metrics:
            session.update_run(name=f"at {speed}")
            for step in range(30):
                metrics.log("train/loss", speed**step, step=step)
                metrics.log("val/accuracy", 1 - speed**step / 2, step=step)
                if speed == 0.9:
                    metrics.log("extra", step, step=step)
    return folder


@pytest.fixture
def store(folder: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(folder / ".quark")
    yield store
    store.close()


def ids(store: EmbeddedStore) -> list[str]:
    by_name = {run.name: run.id for run in store.records.list_runs()}
    return [by_name[f"at {speed}"] for speed in SPEEDS]


def test_each_key_has_a_value_for_each_run_and_says_whether_they_differ(
    store: EmbeddedStore,
) -> None:
    runs = ids(store)

    found = ask(store, "/compare", run=[*runs, "gone", runs[0]])

    assert [run["id"] for run in found["runs"]] == runs
    assert [run["name"] for run in found["runs"]] == [f"at {speed}" for speed in SPEEDS]
    assert found["missing"] == ["gone"]
    config = {row["key"]: row for row in found["config"]}
    assert config["lr"] == {"key": "lr", "values": [[0.1], [0.01], [0.1]], "differs": True}
    assert config["model.depth"] == {
        "key": "model.depth",
        "values": [[2], [2], [2]],
        "differs": False,
    }
    assert config["model.sizes"]["values"] == [["[8, 16]"], ["[8, 16]"], ["[8]"]]
    assert config["seed"]["values"] == [[1], [True], None]  # and 1 is not True
    assert config["seed"]["differs"]
    assert config["note"]["values"][:2] == [None, None]
    assert config["note"]["values"][2][0] == ("<b>bold</b>" * 100)[:300] + "…"


def test_a_summary_has_what_was_logged_last_and_metrics_say_how_many_have_them(
    store: EmbeddedStore,
) -> None:
    runs = ids(store)

    found = ask(store, "/compare", run=runs)

    summary = {row["key"]: row["values"] for row in found["summary"]}
    for key in ("train/loss", "val/accuracy", "extra"):
        for place, run in enumerate(runs):
            values = store.points.series(run, key).value
            assert summary[key][place] == ([values[-1]] if len(values) else None)
    counts = {row["key"]: row["runs"] for row in found["metrics"]}
    assert counts["train/loss"] == 3
    assert counts["extra"] == 1
    assert found["followed"] == 3


@given(
    st.recursive(
        st.integers(-5, 5) | st.text(max_size=3) | st.none() | st.booleans(),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=12,
    )
)
@chosen(max_examples=40, deadline=None)
def test_settings_are_flattened_without_losing_one(tree: Any) -> None:
    found = flattened({"x": tree})

    def leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                yield from leaves(inner, (*path, name))
        else:
            yield path

    assert list(found) == [".".join(path) for path in leaves(tree, ("x",))]
    assert all(isinstance(value, int | str | bool | float) for value in found.values())


def test_differences_are_those_of_the_comparison_engine(folder: Path, store: EmbeddedStore) -> None:
    runs = ids(store)
    target = MetricTargetSpec("train/loss", 0.01, "at_most")
    config = ComparisonEngineConfig(metric_targets=(target,))
    found = ask(
        store, "/compare/differences", reference=runs[1], run=runs, target="train/loss <= 0.01"
    )
    assert found["runs"] == [runs[1], runs[0], runs[2]]
    settings = Settings.load(storage_dir=str(folder))
    contexts = {run: load_context(run, settings) for run in runs}

    for column, run in enumerate(found["runs"][1:], 1):
        engine = ComparisonEngine(contexts[run], config=config)
        _same(found, column, engine.compare_to_baseline(contexts[runs[1]]))

    (row,) = found["targets"]
    reached = [  # by a loop
        next((step for step in range(30) if speed**step <= 0.01), None) for speed in (0.7, 0.2, 0.9)
    ]
    assert row["steps"] == reached
    assert row["by"] == [None, *(None if one is None else one - 13 for one in reached[1:])]


def _same(found: dict[str, Any], column: int, expected: RunComparisonResult) -> None:
    rows = {row["key"]: row for row in found["metrics"]}
    for diff in expected.metric_diffs:
        row = rows[diff.metric_key]
        cell = row["cells"][column]
        assert row["direction"] == diff.direction
        assert (cell is None) == (diff.primary is None)
        if cell is None or diff.primary is None:
            continue
        assert cell["last"] == diff.primary.last
        assert cell["best"] == diff.primary.best
        assert cell["mean"] == pytest.approx(diff.primary.mean)
        assert cell["count"] == diff.primary.count
        if diff.reference is not None:
            assert row["cells"][0]["last"] == diff.reference.last
            assert cell["last_by"] == [diff.last.absolute, diff.last.relative]
            assert cell["better"] == diff.better
            assert cell["better_at_best"] == diff.better_at_best
    for kind in (expected.alert_diff.added, expected.alert_diff.resolved):
        for change in kind:
            (row,) = (
                row
                for row in found["alerts"]
                if (row["rule_id"], row["subject"]) == (change.rule_id, change.subject)
            )
            assert row["cells"][column] == change.primary_severity
            assert row["cells"][0] == change.reference_severity
    phases = {row["title"]: row["cells"] for row in found["phases"]}
    assert expected.phase_diffs
    for phase in expected.phase_diffs:
        cell = phases[phase.display_name][column]
        assert (cell["steps"] if cell else 0) == phase.primary_steps
        assert (cell["ratio"] if cell else 0.0) == phase.primary_ratio


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param({"run": ["a"]}, "needs a reference", id="no-reference"),
        pytest.param({"reference": "a", "run": ["a"]}, "another run", id="itself-alone"),
        pytest.param(
            {"reference": "a", "run": [f"r{place}" for place in range(9)]}, "8", id="too-many"
        ),
        pytest.param({"reference": "a", "run": ["b"], "target": "loss"}, "<=", id="no-target"),
        pytest.param(
            {"reference": "a", "run": ["b"], "target": "loss<=nan"}, "<=", id="target-of-nan"
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    store: EmbeddedStore, query: dict[str, Any], words: str
) -> None:
    with pytest.raises(SchemaValidationError, match=words):
        ask(store, "/compare/differences", **query)


def test_too_many_runs_are_refused_and_none_are_none(store: EmbeddedStore) -> None:
    with pytest.raises(SchemaValidationError, match="1001 runs are more than the 1000"):
        ask(store, "/compare", run=[f"r{place}" for place in range(1001)])
    with pytest.raises(RunNotFoundError):
        ask(store, "/compare/differences", reference=ids(store)[0], run=["gone"])
    assert ask(store, "/compare") == {
        "runs": [],
        "missing": [],
        "config": [],
        "summary": [],
        "metrics": [],
        "followed": 0,
    }


def test_a_target_is_read_as_it_is_written() -> None:
    assert target_of(" a>b/c >= -1e3 ") == MetricTargetSpec("a>b/c", -1000.0, "at_least")
    assert math.isinf(target_of("loss<=inf").target_value)
