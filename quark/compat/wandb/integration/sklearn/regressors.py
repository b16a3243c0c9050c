# ruff: noqa: N803 - X is what scikit-learn calls samples
"""Charts of regressors."""

from __future__ import annotations

from typing import Any

from quark.compat.wandb.integration.requirement import library
from quark.compat.wandb.integration.sklearn.checks import (
    are_given,
    is_fitted,
    is_kind,
    limited,
    log_chart,
)
from quark.compat.wandb.integration.sklearn.models import plot_learning_curve, plot_summary_metrics

_selection: Any = library("sklearn.model_selection", integration="sklearn")

#: The most residuals that are shown of the training data, and of the test data.
RESIDUALS_LIMIT = 100


def plot_regressor(
    model: Any,
    X_train: Any,
    X_test: Any,
    y_train: Any,
    y_test: Any,
    model_name: str = "Regressor",
) -> None:
    """Log all charts of a fitted regressor. It is fitted anew to parts of the training data."""
    plot_summary_metrics(model, X_train, y_train, X_test, y_test)
    plot_learning_curve(model, X_train, y_train)
    plot_outlier_candidates(model, X_train, y_train)
    plot_residuals(model, X_train, y_train)


def plot_outlier_candidates(regressor: Any = None, X: Any = None, y: Any = None) -> None:
    """Log ``outlier_candidates``: Cook's distance of each sample, which says how much it decides.

    ``(r² / (s² p)) · h / (1 - h)²`` with the residual r, its variance s², the number of features p
    and the leverage h. Above 4 / n a sample may be an outlier. ``regressor`` is fitted to the data.

    Source:
        Cook, "Detection of influential observation in linear regression", Technometrics 1977.
    """
    import numpy

    if not (are_given(X=X, y=y) and is_kind("regressor", regressor) and is_fitted(regressor)):
        return
    samples, targets = numpy.asarray(X, dtype=float), numpy.asarray(y)
    regressor.fit(X, y)
    leverage = (samples * numpy.linalg.pinv(samples).T).sum(axis=1)
    residuals = targets - regressor.predict(X)
    freedom = len(samples) - numpy.linalg.matrix_rank(samples)
    variance = residuals @ residuals / freedom
    distances = residuals**2 / (variance * samples.shape[1]) * leverage / (1 - leverage) ** 2
    threshold = 4 / len(samples)
    percent = round(float((distances >= threshold).mean() * 100), 3)
    shown = limited(distances.tolist(), "outlier_candidates")
    rows = [[distance, number, percent, threshold] for number, distance in enumerate(shown)]
    columns = ("distance", "instance_indicies", "outlier_percentage", "influence_threshold")
    log_chart("outlier_candidates", "wandb/outliers/v1", columns, rows)


def plot_residuals(regressor: Any = None, X: Any = None, y: Any = None) -> None:
    """Log ``residuals``: by how much predictions are too high, of 80 % of the data to which
    ``regressor`` is fitted, and of the rest."""
    import numpy

    if not (are_given(X=X, y=y) and is_kind("regressor", regressor) and is_fitted(regressor)):
        return
    x_train, x_test, y_train, y_test = _selection.train_test_split(
        X, numpy.asarray(y), test_size=0.2
    )
    regressor.fit(x_train, y_train)
    scores = [float(regressor.score(x_train, y_train)), float(regressor.score(x_test, y_test))]
    rows = []
    for name, samples, targets in (("train", x_train, y_train), ("test", x_test, y_test)):
        predicted = regressor.predict(samples)
        pairs = zip(predicted, predicted - targets, strict=True)
        shown = limited(pairs, "residuals", RESIDUALS_LIMIT)
        rows += [[name, prediction, residual, *scores] for prediction, residual in shown]
    columns = ("dataset", "y_pred", "residuals", "train_score", "test_score")
    log_chart("residuals", "wandb/residuals_plot/v1", columns, rows)
