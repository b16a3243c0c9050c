# ruff: noqa: N803, N806 - X is what scikit-learn calls samples
"""Charts of classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from quark.compat import wandb
from quark.compat.wandb import term
from quark.compat.wandb.integration.requirement import library
from quark.compat.wandb.integration.sklearn.checks import (
    CHART_LIMIT,
    are_given,
    is_fitted,
    is_kind,
    limited,
    log_chart,
)
from quark.compat.wandb.integration.sklearn.models import plot_learning_curve, plot_summary_metrics

_metrics: Any = library("sklearn.metrics", integration="sklearn")
_bayes: Any = library("sklearn.naive_bayes", integration="sklearn")
_calibration: Any = library("sklearn.calibration", integration="sklearn")
_linear: Any = library("sklearn.linear_model", integration="sklearn")
_selection: Any = library("sklearn.model_selection", integration="sklearn")
_multiclass: Any = library("sklearn.utils.multiclass", integration="sklearn")

_IMPORTANCES = ("feature_importances_", "feature_log_prob_", "coef_")


def plot_classifier(
    model: Any,
    X_train: Any,
    X_test: Any,
    y_train: Any,
    y_test: Any,
    y_pred: Any,
    y_probas: Any,
    labels: Any,
    is_binary: bool = False,
    model_name: str = "Classifier",
    feature_names: Any = None,
    log_learning_curve: bool = False,
) -> None:
    """Log all charts of a fitted classifier; the functions of this module say what each is.

    Args:
        model: The classifier.
        X_train: What it was fitted to.
        X_test: What it was not.
        y_train: The classes of ``X_train``.
        y_test: The classes of ``X_test``.
        y_pred: What ``model`` predicts for ``X_test``.
        y_probas: The probabilities that it gives to the classes.
        labels: The names of the classes, by number.
        is_binary: Not needed.
        model_name: What the calibration curve calls the model.
        feature_names: The names of the columns of ``X_train``.
        log_learning_curve: Log the learning curve too, for which the model is fitted many times.
    """
    of_counts = isinstance(model, _bayes.MultinomialNB)
    if not of_counts:
        plot_feature_importances(model, feature_names)
    if log_learning_curve:
        plot_learning_curve(model, X_train, y_train)
    plot_confusion_matrix(y_test, y_pred, labels)
    plot_summary_metrics(model, X=X_train, y=y_train, X_test=X_test, y_test=y_test)
    plot_class_proportions(y_train, y_test, labels)
    if not of_counts:
        plot_calibration_curve(model, X_train, y_train, model_name)
    plot_roc(y_test, y_probas, labels)
    plot_precision_recall(y_test, y_probas, labels)


def plot_roc(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Any = None,
    plot_micro: bool = True,
    plot_macro: bool = True,
    classes_to_plot: Any = None,
) -> None:
    """Log ``roc``, the chart of ``wandb.plot.roc_curve``."""
    wandb.log({"roc": wandb.plot.roc_curve(y_true, y_probas, labels, classes_to_plot)})


def plot_precision_recall(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Any = None,
    plot_micro: bool = True,
    classes_to_plot: Any = None,
) -> None:
    """Log ``precision_recall``, the chart of ``wandb.plot.pr_curve``."""
    chart = wandb.plot.pr_curve(y_true, y_probas, labels, classes_to_plot)
    wandb.log({"precision_recall": chart})


def plot_confusion_matrix(
    y_true: Any = None,
    y_pred: Any = None,
    labels: Any = None,
    true_labels: Any = None,
    pred_labels: Any = None,
    normalize: bool = False,
) -> None:
    """Log ``confusion_matrix``: how often each class was taken for which.

    Args:
        y_true: The classes.
        y_pred: What was predicted.
        labels: The names of the classes, in their order.
        true_labels: The classes to show of ``y_true``, if not all.
        pred_labels: The classes to show of ``y_pred``, if not all.
        normalize: Show shares of the true class, to 2 digits, in place of counts.
    """
    import numpy

    if not are_given(y_true=y_true, y_pred=y_pred):
        return
    y_true, y_pred = numpy.asarray(y_true), numpy.asarray(y_pred)
    matrix = _metrics.confusion_matrix(y_true, y_pred)
    if normalize:
        totals = matrix.sum(axis=1, keepdims=True)
        shares = numpy.divide(matrix, totals, out=numpy.zeros(matrix.shape), where=totals > 0)
        matrix = numpy.around(shares, 2)
    classes = list(_multiclass.unique_labels(y_true, y_pred))
    names = classes if labels is None else [_named(one, labels) for one in classes]
    shown_true = set(names if true_labels is None else true_labels)
    shown_pred = set(names if pred_labels is None else pred_labels)
    rows = [
        [predicted, actual, matrix[i, j]]
        for i, actual in enumerate(names)
        for j, predicted in enumerate(names)
        if actual in shown_true and predicted in shown_pred
    ]
    rows = limited(rows, "confusion_matrix")
    log_chart(
        "confusion_matrix", "wandb/confusion_matrix/v1", ("Predicted", "Actual", "Count"), rows
    )


def plot_feature_importances(
    model: Any = None,
    feature_names: Any = None,
    title: str = "Feature Importance",
    max_num_features: int = 50,
) -> None:
    """Log ``feature_importances`` of a fitted model, the highest first.

    They are ``feature_importances_``, ``feature_log_prob_`` or ``coef_``, of one dimension.
    """
    import numpy

    if not (is_kind("model", model) and is_fitted(model)):
        return
    found = next((name for name in _IMPORTANCES if hasattr(model, name)), None)
    if found is None:
        name = type(model).__name__
        term.termwarn(f"{name} has none of {', '.join(_IMPORTANCES)}, so there is no chart of it.")
        return
    values = numpy.asarray(getattr(model, found))
    if sum(size > 1 for size in values.shape) > 1:
        term.termwarn(f"{found} has {values.ndim} dimensions; only one can be charted.")
        return
    values = values.reshape(-1)
    order = numpy.argsort(values)[::-1]
    names = order if feature_names is None else numpy.asarray(feature_names)[order]
    log_chart(
        "feature_importances",
        "wandb/feature_importances/v1",
        ("feature_names", "importances"),
        zip(names, values[order], strict=True),
    )


def plot_class_proportions(y_train: Any = None, y_test: Any = None, labels: Any = None) -> None:
    """Log ``class_proportions``: how many samples each class has in training and test data."""
    import numpy

    if not are_given(y_train=y_train, y_test=y_test):
        return
    y_train, y_test = numpy.asarray(y_train), numpy.asarray(y_test)
    rows = []
    for one in limited(_multiclass.unique_labels(y_train, y_test), "class_proportions"):
        name = one if labels is None else _named(one, labels)
        rows.append([name, "train", int((y_train == one).sum())])
        rows.append([name, "test", int((y_test == one).sum())])
    log_chart(
        "class_proportions", "wandb/class_proportions/v1", ("class", "dataset", "count"), rows
    )


def plot_calibration_curve(
    clf: Any = None, X: Any = None, y: Any = None, clf_name: str = "Classifier"
) -> None:
    """Log ``calibration_curve``: how often what is predicted with a probability is true.

    A logistic regression and copies of ``clf`` with isotonic and sigmoid calibration are fitted to
    a tenth of the data, and asked about the rest.

    Args:
        clf: A fitted classifier.
        X: Samples.
        y: Their classes, 0 and 1.
        clf_name: What the chart calls it.
    """
    import numpy

    if not (are_given(X=X, y=y) and is_kind("classifier", clf) and is_fitted(clf)):
        return
    X, y = numpy.asarray(X), numpy.asarray(y)
    if y.dtype.char == "U" or not numpy.isin(y, (0, 1)).all():
        term.termwarn("a calibration curve needs classes 0 and 1; there is none of this model.")
        return
    rows: list[list[Any]] = [["Perfectly calibrated", end, end, 0, 0] for end in (0, 1)]
    rows += _calibration_rows(clf, X, y, clf_name)
    columns = (
        *("model", "fraction_of_positives", "mean_predicted_value"),
        *("hist_dict", "edge_dict"),
    )
    rows = limited(rows, "calibration_curve", CHART_LIMIT)
    log_chart("calibration_curve", "wandb/calibration/v1", columns, rows)


def _calibration_rows(clf: Any, X: Any, y: Any, name: str) -> Iterator[list[Any]]:
    import numpy

    if isinstance(clf, _bayes.ComplementNB):
        X = X - X.min()  # it takes nothing below 0
    x_train, x_test, y_train, y_test = _selection.train_test_split(
        X, y, test_size=0.9, random_state=42
    )
    models = {
        "Logistic": _linear.LogisticRegression(C=1.0),
        f"{name} Isotonic": _calibration.CalibratedClassifierCV(clf, cv=2, method="isotonic"),
        f"{name} Sigmoid": _calibration.CalibratedClassifierCV(clf, cv=2, method="sigmoid"),
    }
    for title, model in models.items():
        model.fit(x_train, y_train)
        positive = model.predict_proba(x_test)[:, 1]
        counts, edges = numpy.histogram(positive, bins=10)
        true, predicted = _calibration.calibration_curve(y_test, positive, n_bins=10)
        for number, (share, mean) in enumerate(zip(true, predicted, strict=True)):
            rounded = [round(float(share), 3), round(float(mean), 3)]
            yield [title, *rounded, counts[number], edges[number]]


def _named(one: Any, labels: Sequence[Any]) -> Any:
    """Return the name of a class; numbers count the names."""
    import numpy

    return labels[int(one)] if isinstance(one, (int, numpy.integer)) else one
