"""What is learned: real data that ships with scikit-learn, and sequences made by a rule.

Each task has a way to name its metrics, because scripts do; a model; and learning rates at which a
healthy run learns briskly, so that ten times as much hurts. One half of the tasks is for tuning
thresholds, the other is looked at only for the published figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from torch import Tensor

from benchmarks.faults import models
from benchmarks.faults.options import Options

SPLIT_SEED = 7


@dataclass(frozen=True, slots=True)
class Data:
    """Samples and targets; integers are classes, floats are numbers to come close to."""

    train_x: Tensor
    train_y: Tensor
    val_x: Tensor
    val_y: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How a script calls its metrics; None: not logged."""

    train_loss: str = "train/loss"
    train_score: str | None = "train/accuracy"
    val_loss: str = "val/loss"
    val_score: str | None = "val/accuracy"
    learning_rate: str | None = "lr"
    gradient_norm: str | None = None
    epoch: str | None = "epoch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to learn."""

    name: str
    half: str
    kind: str  # "classes", "numbers", or "language" (the next token at each position)
    load: Callable[[], Data]
    build: Callable[[Options], torch.nn.Module]
    lrs: Mapping[str, float]
    optimizer: str
    class_count: int = 0
    batch_size: int = 32
    pace: float = 1.0  # how many steps it has, of what is usual
    names: Names = field(default_factory=Names)
    traits: frozenset[str] = frozenset()  # "vectors", "tokens": which faults make sense


# -- data ----------------------------------------------------------------------------------------


def _split(x: Any, y: Any, val_share: float = 0.25) -> Data:
    order = np.random.default_rng(SPLIT_SEED).permutation(len(x))
    cut = int(len(x) * val_share)
    val, train = order[:cut], order[cut:]
    parts = (x[train], y[train], x[val], y[val])
    return Data(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))


@cache
def digits(flat: bool = True) -> Data:
    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).astype(np.float32)
    x = x if flat else x.reshape(-1, 1, 8, 8)
    return _split(x, y.astype(np.int64))


@cache
def cancer() -> Data:
    x, y = load_breast_cancer(return_X_y=True)
    return _split(_standard(x), y.astype(np.int64))


@cache
def diabetes() -> Data:
    x, y = load_diabetes(return_X_y=True)
    return _split(_standard(x), _standard(y)[:, None])


def _standard(x: Any) -> Any:
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)


MOTIFS, TOKENS = 6, 16


@cache
def motifs(length: int = 16, count: int = 2400) -> Data:
    """Noise with one of six motifs of three tokens somewhere in it; which one is the class.

    Token 0 is kept for padding.
    """
    rng = np.random.default_rng(11)
    shapes = rng.permutation(np.arange(1, TOKENS))[:15].reshape(5, 3)
    shapes = np.concatenate([shapes, shapes[:1, ::-1]])
    x = rng.integers(1, TOKENS, (count, length))
    y = rng.integers(0, MOTIFS, count)
    for place in range(count):
        for _ in range(2):
            start = rng.integers(0, length - 3)
            x[place, start : start + 3] = shapes[y[place]]
    return _split(x.astype(np.int64), y.astype(np.int64))


@cache
def brackets(length: int = 16, count: int = 2400) -> Data:
    """Tokens 1 to 9; the class is which third of the alphabet is the most frequent."""
    rng = np.random.default_rng(12)
    y = rng.integers(0, 3, count)
    weights = np.full((count, 9), 1.0)
    for third in range(3):
        weights[y == third, third * 3 : third * 3 + 3] = 2.4
    cumulative = np.cumsum(weights / weights.sum(1, keepdims=True), axis=1)
    x = 1 + (rng.random((count, length, 1)) > cumulative[:, None, :]).sum(2)
    most = np.stack([((x - 1) // 3 == third).sum(1) for third in range(3)], 1).argmax(1)
    return _split(np.minimum(x, 9).astype(np.int64), most.astype(np.int64))


VOCABULARY = 20


@cache
def chains(length: int = 16, count: int = 1600) -> Data:
    """A Markov chain of second order; token 0 is kept for padding."""
    rng = np.random.default_rng(13)
    likely = rng.integers(1, VOCABULARY, (VOCABULARY, VOCABULARY, 3))
    x = rng.integers(1, VOCABULARY, (count, length + 1))
    for place in range(2, length + 1):
        choice = likely[x[:, place - 2] % 4, x[:, place - 1], rng.integers(0, 3, count)]
        x[:, place] = np.where(rng.random(count) < 0.9, choice, x[:, place])
    return _split(x[:, :-1].astype(np.int64), x[:, 1:].astype(np.int64))


@cache
def waves(length: int = 16, count: int = 1600) -> Data:
    """Two sines and noise; what comes next is the target."""
    rng = np.random.default_rng(14)
    time = np.arange(length + 1)
    speeds, shifts = rng.uniform(0.2, 0.9, (count, 2, 1)), rng.uniform(0, 6.3, (count, 2, 1))
    heights = rng.uniform(0.4, 1.0, (count, 2, 1))
    x = (heights * np.sin(speeds * time + shifts)).sum(1) + rng.normal(0, 0.05, (count, length + 1))
    x = x.astype(np.float32)
    return _split(x[:, :-1, None], x[:, -1:])


# -- tasks ---------------------------------------------------------------------------------------

_TASKS = (
    Task(
        name="digits-mlp",
        half="tune",
        kind="classes",
        class_count=10,
        load=digits,
        build=lambda o: models.mlp(o, 64, 10, hidden=128, activation="relu"),
        lrs={"sgd": 0.1, "adam": 6e-3, "adamw": 6e-3, "rmsprop": 2e-3},
        optimizer="sgd",
        names=Names(gradient_norm="train/grad_norm"),
        traits=frozenset({"vectors", "classes"}),
    ),
    Task(
        name="motifs-gru",
        half="tune",
        kind="classes",
        class_count=MOTIFS,
        load=motifs,
        build=lambda o: models.gru(o, MOTIFS, vocabulary=TOKENS, hidden=32),
        lrs={"sgd": 0.3, "adam": 1.5e-2, "adamw": 1.5e-2, "rmsprop": 5e-3},
        optimizer="adam",
        pace=0.7,
        names=Names(
            train_loss="train_loss",
            train_score="train_acc",
            val_loss="val_loss",
            val_score="val_acc",
            learning_rate="learning_rate",
        ),
        traits=frozenset({"tokens", "classes"}),
    ),
    Task(
        name="diabetes-mlp",
        half="tune",
        kind="numbers",
        load=diabetes,
        build=lambda o: models.mlp(o, 10, 1, hidden=24, activation="tanh"),
        lrs={"sgd": 0.06, "adam": 3e-3, "adamw": 3e-3, "rmsprop": 2e-3},
        optimizer="adam",
        names=Names(
            train_loss="loss",
            train_score="mae",
            val_loss="val_loss",
            val_score="val_mae",
            learning_rate=None,
        ),
        traits=frozenset({"vectors"}),
    ),
    Task(
        name="brackets-encoder",
        half="tune",
        kind="classes",
        class_count=3,
        load=brackets,
        build=lambda o: models.encoder(o, 3, vocabulary=10, width=24),
        lrs={"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3, "rmsprop": 5e-4},
        optimizer="adamw",
        pace=0.7,
        names=Names(
            train_score=None,
            learning_rate="train/learning_rate",
            gradient_norm="train/grad_norm",
            val_loss="eval/loss",
            val_score="eval/accuracy",
        ),
        traits=frozenset({"tokens", "classes"}),
    ),
    Task(
        name="digits-cnn",
        half="held-out",
        kind="classes",
        class_count=10,
        load=lambda: digits(flat=False),
        build=lambda o: models.cnn(o, 10),
        lrs={"sgd": 0.1, "adam": 6e-3, "adamw": 6e-3, "rmsprop": 2e-3},
        optimizer="sgd",
        names=Names(
            train_loss="training_loss",
            train_score="training_accuracy",
            val_loss="validation_loss",
            val_score="validation_accuracy",
            learning_rate="lr",
        ),
        traits=frozenset({"vectors", "classes"}),
    ),
    Task(
        name="chains-transformer",
        half="held-out",
        kind="language",
        class_count=VOCABULARY,
        load=chains,
        build=lambda o: models.language_model(o, VOCABULARY, width=24),
        lrs={"sgd": 0.5, "adam": 1e-2, "adamw": 1e-2, "rmsprop": 3e-3},
        optimizer="adamw",
        pace=0.7,
        names=Names(
            train_score=None,
            val_loss="eval/loss",
            val_score=None,
            learning_rate="train/lr",
            gradient_norm="train/grad_norm",
            epoch="train/epoch",
        ),
        traits=frozenset({"tokens"}),
    ),
    Task(
        name="cancer-mlp",
        half="held-out",
        kind="classes",
        class_count=2,
        load=cancer,
        build=lambda o: models.mlp(o, 30, 2, hidden=32, activation="gelu"),
        lrs={"sgd": 0.1, "adam": 2e-3, "adamw": 2e-3, "rmsprop": 1e-3},
        optimizer="adam",
        batch_size=16,
        names=Names(
            train_loss="loss",
            train_score="accuracy",
            val_loss="val_loss",
            val_score="val_accuracy",
            learning_rate=None,
        ),
        traits=frozenset({"vectors", "classes"}),
    ),
    Task(
        name="waves-gru",
        half="held-out",
        kind="numbers",
        load=waves,
        build=lambda o: models.gru(o, 1, vocabulary=0, hidden=32),
        lrs={"sgd": 0.1, "adam": 1e-2, "adamw": 1e-2, "rmsprop": 4e-3},
        optimizer="adam",
        pace=0.7,
        names=Names(
            train_loss="Loss/train",
            train_score=None,
            val_loss="Loss/valid",
            val_score="MAE/valid",
            learning_rate="LR",
        ),
        traits=frozenset({"sequences"}),
    ),
)

TASKS = {task.name: task for task in _TASKS}
