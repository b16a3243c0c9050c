"""``wandb.plot``: the data and the specification of every chart, and what is logged of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.compat.wandb.data_types.table_files import run_files
from tests.compat.wandb.driver import kept

RANDOM = np.random.default_rng(7)
TRUTH = RANDOM.integers(0, 3, 60)
SCORES = RANDOM.dirichlet([1, 1, 1], 60)
TIED = np.round(SCORES, 1)
NAMES = np.array(["cat", "dog", "cow"])[TRUTH].tolist()


def points(wandb: Any) -> Any:
    return wandb.Table(columns=["a", "b", "c"], data=[[1, 2.5, "x"], [2, -1.0, "y"]])


#: Charts that both packages make.
MADE: dict[str, Callable[[Any], Any]] = {
    "line": lambda wandb: wandb.plot.line(points(wandb), "a", "b"),
    "line with all": lambda wandb: wandb.plot.line(
        points(wandb), "a", "b", stroke="c", title="T", split_table=True
    ),
    "scatter": lambda wandb: wandb.plot.scatter(points(wandb), x="a", y="b", title="S"),
    "bar": lambda wandb: wandb.plot.bar(points(wandb), "c", "b", title="B", split_table=True),
    "histogram": lambda wandb: wandb.plot.histogram(points(wandb), value="b", title="H"),
    "series": lambda wandb: wandb.plot.line_series([0, 1], [[2, 3], [4, 5]]),
    "series of their own": lambda wandb: wandb.plot.line_series(
        xs=[[0, 1], [5, 6, 7]], ys=[[2, 3], [4, 5]], keys=["a", "b"], title="T", xname="epoch"
    ),
    "series of arrays": lambda wandb: wandb.plot.line_series(
        np.arange(3), [np.ones(3), np.zeros(3)], split_table=True
    ),
    "series of texts": lambda wandb: wandb.plot.line_series(["a", "b"], [[1, 2]]),
    "pr": lambda wandb: wandb.plot.pr_curve(TRUTH, SCORES),
    "pr with ties": lambda wandb: wandb.plot.pr_curve(TRUTH.tolist(), TIED.tolist()),
    "pr with labels": lambda wandb: wandb.plot.pr_curve(
        TRUTH, SCORES, labels=["x", "y", "z"], classes_to_plot=[0, 2], interp_size=5, title="P"
    ),
    "pr of texts": lambda wandb: wandb.plot.pr_curve(NAMES, SCORES, split_table=True),
    "pr of texts with labels": lambda wandb: wandb.plot.pr_curve(NAMES, SCORES, labels=["a"] * 3),
    "roc": lambda wandb: wandb.plot.roc_curve(TRUTH, SCORES),
    "roc with ties": lambda wandb: wandb.plot.roc_curve(TRUTH.tolist(), TIED.tolist()),
    "roc with labels": lambda wandb: wandb.plot.roc_curve(
        TRUTH, SCORES, labels=["x", "y", "z"], classes_to_plot=[1], title="R", split_table=True
    ),
    "roc of texts": lambda wandb: wandb.plot.roc_curve(NAMES, SCORES),
    "roc of one class": lambda wandb: wandb.plot.roc_curve([0, 0, 0], [[0.1], [0.2], [0.3]]),
    "roc of booleans": lambda wandb: wandb.plot.roc_curve([True, False], [[0.1, 0.9]] * 2),
    "confusion": lambda wandb: wandb.plot.confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0]),
    "confusion of probabilities": lambda wandb: wandb.plot.confusion_matrix(
        probs=SCORES, y_true=TRUTH.tolist(), class_names=["a", "b", "c"], title="C"
    ),
    "confusion of texts": lambda wandb: wandb.plot.confusion_matrix(
        y_true=["a", "b"], preds=["b", "b"], split_table=True
    ),
    "confusion of arrays": lambda wandb: wandb.plot.confusion_matrix(
        y_true=TRUTH, preds=TRUTH[::-1], class_names=["a", "b", "c", "d"]
    ),
    "plot_table": lambda wandb: wandb.plot_table(
        "me/spec", points(wandb), {"x": "a"}, {"title": "T"}, split_table=True
    ),
    "plot_table in plot": lambda wandb: wandb.plot.plot_table(
        vega_spec_name="me/spec", data_table=points(wandb), fields={}
    ),
    "visualize": lambda wandb: wandb.visualize("me/spec", points(wandb)),
    "visualize in plot": lambda wandb: wandb.plot.visualize("me/spec", points(wandb)),
}


def plain(value: Any) -> Any:
    """Return the cells of a table as plain numbers and texts."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def behaviour_made(wandb: Any, see: Any) -> None:
    for name, make in MADE.items():
        chart = see(f"kind of {name}", lambda make=make: make(wandb))
        if chart is None:
            continue
        see(f"columns of {name}", lambda chart=chart: chart.table.columns)
        see(f"data of {name}", lambda chart=chart: plain(chart.table.data))
        see(f"types of {name}", lambda chart=chart: str(chart.table._column_types))
        chart.set_key("some key")
        see(f"place of {name}", lambda chart=chart: chart.spec.config_key)
        see(f"specification of {name}", lambda chart=chart: chart.spec.config_value)


def behaviour_refused(wandb: Any, see: Any) -> None:
    plot = wandb.plot
    see("no table", lambda: plot.line([[1, 2]], "a", "b"))
    see("plot_table of no table", lambda: wandb.plot_table("s", None, {}))
    see("visualize no table", lambda: wandb.visualize("s", {}))
    see("too few xs", lambda: plot.line_series([[1]], [[1], [2]]))
    see("too few keys", lambda: plot.line_series([1], [[1], [2]], keys=["a"]))
    see("both", lambda: plot.confusion_matrix(probs=SCORES, y_true=TRUTH, preds=TRUTH))
    see("neither", lambda: plot.confusion_matrix(y_true=TRUTH))
    see("no truth", lambda: plot.confusion_matrix(preds=TRUTH))
    see("other lengths", lambda: plot.confusion_matrix(y_true=[0, 1], preds=[0]))
    see(
        "too few names",
        lambda: plot.confusion_matrix(y_true=[0, 1], preds=[0, 1], class_names=["a"]),
    )
    see("no such class", lambda: plot.confusion_matrix(y_true=[5], preds=[0], class_names=["a"]))
    see("pr of other lengths", lambda: plot.pr_curve([0, 1], [[0.1, 0.9]]))
    see("roc of other lengths", lambda: plot.roc_curve([0, 1], [[0.1, 0.9]]))
    see("pr of one column", lambda: plot.pr_curve([0, 1], [[0.1], [0.9]]))
    see("roc of nan", lambda: plot.roc_curve([0, 1], [[0.1, 0.9], [0.1, math.nan]]))
    see("table key too early", lambda: plot.line(points(wandb), "a", "b").spec.table_key)


def behaviour_logged(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", config={"lr": 0.1})
    run.log({"curve": MADE["series"](wandb), "loss": 1})
    run.log({"group": {"bars": MADE["bar"](wandb), "n": 2}, "drawn": MADE["visualize"](wandb)})
    run.log({"group": {"alone": MADE["line"](wandb)}}, commit=False)
    run.log({"curve": MADE["scatter"](wandb)})
    see("config", lambda: dict(run.config))
    if wandb.__name__ != "wandb":
        run._settle()
    files = run_files(run)
    see("files", lambda: files)
    return None


def behaviour_kept(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", config={"lr": 0.1})
    run.log({"curve": MADE["series"](wandb), "loss": 1})
    run.log({"group": {"bars": MADE["bar"](wandb)}, "drawn": MADE["visualize"](wandb)})
    run.log({"curve": MADE["scatter"](wandb)})
    run.finish()
    wandb.teardown()  # only after this all of wandb's files are written
    see("specifications", lambda: specifications(wandb.__name__, run.id))
    see("rows", lambda: [sorted(columns(row)) for row in kept(wandb.__name__, run.id)["history"]])
    see("config", lambda: kept(wandb.__name__, run.id)["config"])
    return None


def columns(row: dict[str, Any]) -> set[str]:
    """Return the keys of a row, those of tables without what is said of them."""
    names = {".path", ".sha256", ".size", ".ncols", ".nrows", ".log_mode", "._type"}
    names |= {".artifact_path", "._latest_artifact_path"}
    found = set()
    for key in row:
        ending = next((name for name in names if key.endswith(name)), "")
        found.add(key.removesuffix(ending))
    return found


def specifications(package: str, run_id: str) -> Any:
    """Return what the config of a run says of its charts."""
    if package == "wandb":
        from pathlib import Path

        from tests.compat.wandb.offline_file import read_offline_run

        (path,) = Path("wandb").glob(f"*-{run_id}/run-{run_id}.wandb")
        own = read_offline_run(path).config["_wandb"]
    else:
        from quark.compat.wandb import Api

        own = Api().run(run_id).rawconfig["_wandb"]
    return {kind: own[kind] for kind in ("visualize", "viz")}
