"""Charts: their numbers against scikit-learn's, and what is read back of a logged one."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn import metrics

import quark.compat.wandb as wandb

CLASSES = 3
PROBABILITY = st.integers(0, 8).map(lambda eighths: eighths / 8)  # few values: many ties
SAMPLE = st.tuples(st.integers(0, CLASSES - 1), st.tuples(*[PROBABILITY] * CLASSES))
SAMPLES = st.lists(SAMPLE, min_size=2, max_size=40)


def columns(chart: Any, number: Any) -> list[list[float]]:
    return [row[1:] for row in chart.table.data if row[0] == number]


def dense(samples: list[tuple[int, tuple[float, ...]]]) -> tuple[Any, Any, list[int]]:
    """Classes counted from 0 without a gap, as columns of probabilities are."""
    classes = sorted({number for number, _ in samples})
    truth = np.array([classes.index(number) for number, _ in samples])
    return truth, np.array([scores for _, scores in samples]), list(range(len(classes)))


@settings(max_examples=50, deadline=None)
@given(SAMPLES)
def test_the_roc_curve_has_the_numbers_of_scikit_learn(samples: list[Any]) -> None:
    truth, scores, classes = dense(samples)

    chart = wandb.plot.roc_curve(truth, scores)

    for number in classes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where a class is the only one, there is no rate
            expected = metrics.roc_curve(truth, scores[:, number], pos_label=number)
        pairs = np.round(np.column_stack(expected[:2]), 3)
        np.testing.assert_array_equal(columns(chart, number), pairs)


@settings(max_examples=50, deadline=None)
@given(SAMPLES, st.integers(2, 30))
def test_the_precision_at_a_recall_is_the_best_of_all_thresholds_up_to_there(
    samples: list[Any], size: int
) -> None:
    truth, scores, classes = dense(samples)

    chart = wandb.plot.pr_curve(truth, scores, interp_size=size)

    for number in classes:
        precision, recall, _ = metrics.precision_recall_curve(
            truth, scores[:, number], pos_label=number
        )
        shown = columns(chart, number)
        assert len(shown) == size
        for place, (drawn, at) in enumerate(shown):
            wanted = np.linspace(0, 1, size)[::-1][place]
            point = min(i for i in range(len(recall)) if recall[::-1][i] >= wanted)
            best = precision[: len(recall) - point].max()
            assert drawn == round(best, 3)
            assert at == round(wanted, 3)


@settings(max_examples=50, deadline=None)
@given(SAMPLES)
def test_the_confusion_matrix_counts_every_sample_once(samples: list[Any]) -> None:
    truth, scores, _ = dense(samples)
    names = ["a", "b", "c"]

    chart = wandb.plot.confusion_matrix(probs=scores, y_true=truth, class_names=names)

    expected = metrics.confusion_matrix(truth, scores.argmax(axis=1), labels=[0, 1, 2])
    drawn = {(actual, taken_for): count for actual, taken_for, count in chart.table.data}
    assert drawn == {
        (names[row], names[column]): expected[row, column]
        for row in range(3)
        for column in range(3)
    }


def test_a_logged_chart_is_its_table_and_a_specification_that_scripts_do_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SILENT", "true")
    series = wandb.plot.line_series([0, 1], [[2, 3]], split_table=True)
    with wandb.init(project="p", config={"lr": 1}) as run:
        wandb.log({"curve": series, "loss": 0.5})
        wandb.log({"loss": 0.25})
    with wandb.init(project="p", id=run.id, resume="must") as resumed:
        wandb.log({"deep": {"bar": wandb.plot.bar(series.table, "lineKey", "lineVal"), "n": 1}})
        seen = dict(resumed.config.items())
    with wandb.init(mode="disabled"):
        wandb.log({"curve": series})

    read = wandb.Api().run(run.id)
    first, _, third = read.scan_history()
    charts = read.rawconfig["_wandb"]["visualize"]
    read.config["more"] = 2
    read.update()

    assert seen == {"lr": 1}
    assert read.media(first["Custom Chart Tables/curve_table"]) == series.table
    assert first["loss"] == 0.5
    assert third["deep.n"] == 1
    assert read.media(third["deep.bar_table"]) == series.table
    panel = charts["curve"]["panel_config"]
    assert panel["fieldSettings"] == {name: name for name in series.table.columns}
    (asked,) = panel["userQuery"]["queryFields"]
    assert asked["fields"][-1]["args"][0]["value"] == "Custom Chart Tables/curve_table"
    assert charts["deep.bar"]["panel_config"]["panelDefId"] == "wandb/bar/v0"
    again = wandb.Api().run(run.id)
    assert again.config == {"lr": 1, "more": 2}
    assert again.rawconfig["_wandb"]["visualize"] == charts


def test_the_modules_of_plot_have_the_same_classes() -> None:
    custom_chart = import_module("quark.compat.wandb.plot.custom_chart")
    viz = import_module("quark.compat.wandb.plot.viz")

    table = wandb.Table(columns=["a"], data=[[1]])
    assert (
        type(wandb.plot_table("s", table, {})) is wandb.plot.CustomChart is custom_chart.CustomChart
    )
    assert type(wandb.visualize("s", table)) is wandb.plot.Visualize is viz.Visualize
    assert custom_chart.plot_table is wandb.plot_table is wandb.plot.plot_table


def test_numbers_that_are_not_finite_have_no_place_in_a_curve() -> None:
    with pytest.raises(ValueError, match="not finite"):
        wandb.plot.pr_curve([0, 1], [[0.5, 0.5], [0.5, np.inf]])
