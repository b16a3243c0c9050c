"""A script that logs every chart of ``wandb.plot``, tables made of tables, and histograms.

Run it as a program to look at what it logs: ``python -m tests.dashboard.plotting``, then
``quark ui``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import quark.compat.wandb as wandb

ANIMALS = ("cat", "dog", "horse", "ship", "a truck with a trailer")
RUN_ID = "plotted"
SAMPLES = 600


def outcomes(step: int) -> tuple[list[int], Any]:
    """Return true classes and probabilities that get better step by step."""
    chance = np.random.default_rng(7)
    truth = chance.integers(0, len(ANIMALS), SAMPLES)
    scores = chance.normal(size=(SAMPLES, len(ANIMALS)))
    scores[np.arange(SAMPLES), truth] += 0.7 * (step + 1)
    likely = np.exp(scores)
    return truth.tolist(), likely / likely.sum(axis=1, keepdims=True)


def write(**options: Any) -> None:
    """Log everything in three steps."""
    run = wandb.init(id=RUN_ID, project="plots", name="every chart", **options)
    chance = np.random.default_rng(0)
    for step in range(3):
        truth, likely = outcomes(step)
        names = list(ANIMALS)
        run.log(
            {
                "confusion": wandb.plot.confusion_matrix(
                    probs=likely, y_true=truth, class_names=names, title="Who is taken for whom"
                ),
                "roc": wandb.plot.roc_curve(truth, likely, labels=names),
                "pr": wandb.plot.pr_curve(truth, likely, labels=names),
                "eval/line": wandb.plot.line(
                    _waves(step), "angle", "value", stroke="wave", title="Two waves"
                ),
                "eval/scatter": wandb.plot.scatter(
                    _cloud(chance), "weight (kg)", "height (cm)", title="Weights and heights"
                ),
                "eval/bar": wandb.plot.bar(_shares(step), "animal", "share", title="Shares"),
                "eval/histogram": wandb.plot.histogram(
                    _cloud(chance), "height (cm)", title="Heights"
                ),
                "eval/series": wandb.plot.line_series(
                    list(range(20)),
                    [[math.exp(-x / (4 + k)) + k / 20 for x in range(20)] for k in range(4)],
                    keys=[f"fold {k}" for k in range(4)],
                    title="Losses of the folds",
                    xname="epoch",
                ),
                "custom": wandb.plot_table(
                    "someone/violin", _cloud(chance), {"x": "weight (kg)"}, {"title": "Violins"}
                ),
                "no numbers": wandb.plot.scatter(_words(), "a", "b", title="Nothing to draw"),
            }
        )
    for step in range(40):
        spread = chance.normal(step / 12, 0.5 + step / 50, 4000)
        run.log({"weights": wandb.Histogram(spread), "loss": math.exp(-step / 10)})
    people = wandb.Table(columns=["id", "name"], data=[[1, "Ada"], [2, "Grace"], [3, "Edith"]])
    years = wandb.Table(columns=["id", "born", "name"], data=[[2, 1906, "G."], [1, 1815, "A."]])
    run.log({"joined": wandb.JoinedTable(people, years, "id")})
    parts = wandb.Artifact("parts", type="dataset")
    for place in range(3):
        rows = [[place * 10 + row, f"row {row}"] for row in range(10)]
        parts.add(wandb.Table(columns=["n", "said"], data=rows), f"shards/{place}")
    doubled = wandb.Table(columns=["double", "n2"], data=[[2 * row, row] for row in range(10)])
    parts.add(doubled, "doubled")
    sides = ("shards/0.table.json", "doubled.table.json")
    parts.add(wandb.data_types.PartitionedTable("shards"), "whole")
    parts.add(wandb.JoinedTable(*sides, ["n", "n2"]), "both")
    parts.add(_pictures(chance), "seen")
    parts.add(wandb.Image(np.zeros((8, 12), np.uint8), caption="dark"), "first")
    run.log_artifact(parts).wait()
    run.log({"joined parts": wandb.JoinedTable(*sides, ["n", "n2"])})
    run.log({"shards": wandb.data_types.PartitionedTable("shards")})
    run.log({"elsewhere": wandb.data_types.PartitionedTable("nowhere")})
    run.finish()


def _waves(step: int) -> Any:
    table = wandb.Table(columns=["angle", "value", "wave"])
    for place in range(120):
        angle = place / 10
        table.add_data(angle, math.sin(angle) * (step + 1), "sine")
        table.add_data(angle, math.cos(angle) if place % 40 else None, "cosine")
    return table


def _cloud(chance: np.random.Generator) -> Any:
    heights = chance.normal(172, 9, 400)
    weights = (heights - 100) * chance.normal(0.95, 0.12, 400)
    rows = np.round(np.stack([heights, weights], axis=1), 2).tolist()
    return wandb.Table(columns=["height (cm)", "weight (kg)"], data=rows)


def _shares(step: int) -> Any:
    rows = [[name, (place - 1) * (step + 1) / 10] for place, name in enumerate(ANIMALS)]
    return wandb.Table(columns=["animal", "share"], data=rows)


def _pictures(chance: np.random.Generator) -> Any:
    table = wandb.Table(columns=["picture", "score"])
    for place in range(4):
        pixels = chance.integers(0, 255, (8, 12, 3), np.uint8)
        box = {"middle": [0.5, 0.5], "width": 0.5, "height": 0.5}
        found = {"box_data": [{"position": box, "class_id": 1, "scores": {"sure": 0.9}}]}
        boxes = {"found": {**found, "class_labels": {1: "noise"}}}
        table.add_data(wandb.Image(pixels, boxes=boxes, caption=f"noise {place}"), place / 4)
    return table


def _words() -> Any:
    return wandb.Table(columns=["a", "b"], data=[["no", "number"], ["in", "here"]])


if __name__ == "__main__":
    write(settings=wandb.Settings(console="off"))
