# ruff: noqa: N803 - X is what scikit-learn calls samples
"""Charts of any model that predicts: its scores, and how they grow with the data."""

from __future__ import annotations

from typing import Any

from quark.compat.wandb.integration.requirement import library
from quark.compat.wandb.integration.sklearn.checks import (
    CHART_LIMIT,
    are_given,
    is_fitted,
    is_kind,
    limited,
    log_chart,
)

_metrics: Any = library("sklearn.metrics", integration="sklearn")
_base: Any = library("sklearn.base", integration="sklearn")
_selection: Any = library("sklearn.model_selection", integration="sklearn")


def plot_summary_metrics(
    model: Any = None, X: Any = None, y: Any = None, X_test: Any = None, y_test: Any = None
) -> None:
    """Log ``summary_metrics``: the usual scores of a fitted model on the test data, to 2 digits.

    Args:
        model: A classifier (accuracy; precision, recall and F1, weighted by class) or a regressor
            (mean absolute and mean squared error, R²).
        X: The training data, which is not needed.
        y: Its labels, not needed either.
        X_test: Samples the model has not seen.
        y_test: What is true of them.
    """
    if not (are_given(X=X, y=y, X_test=X_test, y_test=y_test) and is_kind("model", model)):
        return
    if not is_fitted(model):
        return
    predicted = model.predict(X_test)
    if _base.is_classifier(model):
        weighted = {"average": "weighted"}
        scores = {
            "accuracy_score": _metrics.accuracy_score(y_test, predicted),
            "precision": _metrics.precision_score(y_test, predicted, **weighted),
            "recall": _metrics.recall_score(y_test, predicted, **weighted),
            "f1_score": _metrics.f1_score(y_test, predicted, **weighted),
        }
    else:
        scores = {
            "mae": _metrics.mean_absolute_error(y_test, predicted),
            "mse": _metrics.mean_squared_error(y_test, predicted),
            "r2_score": _metrics.r2_score(y_test, predicted),
        }
    name = type(model).__name__
    rows = [[metric, round(float(score), 2), name] for metric, score in scores.items()]
    columns = ("metric_name", "metric_value", "model_name")
    log_chart("summary_metrics", "wandb/metrics/v1", columns, rows)


def plot_learning_curve(
    model: Any = None,
    X: Any = None,
    y: Any = None,
    cv: Any = None,
    shuffle: bool = False,
    random_state: Any = None,
    train_sizes: Any = None,
    n_jobs: int = 1,
    scoring: Any = None,
) -> None:
    """Log ``learning_curve``: the score of copies of ``model`` fitted to more and more of the data.

    The arguments are those of ``sklearn.model_selection.learning_curve``; ``train_sizes`` is five
    shares from 0.1 to 1 unless it is given. Scores are means over the folds, to 2 digits.
    """
    import numpy

    if not (are_given(X=X, y=y) and is_kind("model", model)):
        return
    sizes, train, test = _selection.learning_curve(
        model,
        X,
        numpy.asarray(y),
        cv=cv,
        n_jobs=n_jobs,
        train_sizes=numpy.linspace(0.1, 1.0, 5) if train_sizes is None else train_sizes,
        scoring=scoring,
        shuffle=shuffle,
        random_state=random_state,
    )
    rows = []
    for size, own, other in zip(sizes, train.mean(axis=1), test.mean(axis=1), strict=True):
        rows.append(["train", round(float(own), 2), int(size)])
        rows.append(["test", round(float(other), 2), int(size)])
    columns = ("dataset", "score", "train_size")
    rows = limited(rows, "learning_curve", CHART_LIMIT)
    log_chart("learning_curve", "wandb/learning_curve/v1", columns, rows)
