"""Precision and recall, and true and false positives, over all thresholds.

The numbers are those of scikit-learn's ``precision_recall_curve`` and ``roc_curve``, which W&B
calls; scikit-learn and pandas are not needed here. No points are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quark.compat.wandb.plot.charts import CustomChart, plot_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DECIMALS = 3


def pr_curve(
    y_true: Any = None,
    y_probas: Any = None,
    labels: list[str] | None = None,
    classes_to_plot: list[Any] | None = None,
    interp_size: int = 21,
    title: str = "Precision-Recall Curve",
    split_table: bool = False,
) -> CustomChart:
    """Draw precision over recall, one line for each class.

    Args:
        y_true: The true class of each sample, shape (samples,).
        y_probas: The probability of each class, shape (samples, classes), in the order of the
            sorted classes.
        labels: Names of the classes 0, 1, ...
        classes_to_plot: The classes to draw; all of them without it.
        interp_size: At how many values of recall, evenly spread from 0 to 1.

    Raises:
        IndexError: ``y_probas`` has fewer columns than there are classes.
        ValueError: There are not as many probabilities as true classes.

    Source:
        scikit-learn, ``sklearn.metrics.precision_recall_curve``.
    """
    import numpy as np

    grid = np.linspace(0, 1, interp_size)[::-1]
    rows: list[list[Any]] = []
    for label, truth, scores in _classes(y_true, y_probas, labels, classes_to_plot):
        true_positives, all_positives = _counts(truth, scores)
        precision = true_positives / all_positives
        precision = np.append(np.maximum.accumulate(precision[::-1]), 1.0)[::-1]
        recall = np.append(0.0, true_positives / true_positives[-1])
        shown = precision[np.searchsorted(recall, grid, side="left")]
        rows += _rows(label, shown, grid)
    return _curve(
        rows,
        ("precision", "recall"),
        ("recall", "precision"),
        ("Recall", "Precision"),
        title,
        split_table,
    )


def roc_curve(
    y_true: Any,
    y_probas: Any = None,
    labels: list[str] | None = None,
    classes_to_plot: list[Any] | None = None,
    title: str = "ROC Curve",
    split_table: bool = False,
) -> CustomChart:
    """Draw the rate of true positives over that of false positives, one line for each class.

    Args:
        y_true: The true class of each sample, shape (samples,).
        y_probas: The probability of each class, shape (samples, classes), in the order of the
            sorted classes.
        labels: Names of the classes 0, 1, ...
        classes_to_plot: The classes to draw; all of them without it.

    Raises:
        IndexError: ``y_probas`` has fewer columns than there are classes.
        ValueError: There are not as many probabilities as true classes.

    Source:
        scikit-learn, ``sklearn.metrics.roc_curve``: points on a straight line are left out.
    """
    import numpy as np

    rows: list[list[Any]] = []
    for label, truth, scores in _classes(y_true, y_probas, labels, classes_to_plot):
        true_positives, all_positives = _counts(truth, scores)
        false_positives = all_positives - true_positives
        if len(true_positives) > 2:
            corners = (np.diff(false_positives, 2) != 0) | (np.diff(true_positives, 2) != 0)
            kept = np.concatenate([[True], corners, [True]])
            true_positives, false_positives = true_positives[kept], false_positives[kept]
        rates = (_rate(false_positives), _rate(true_positives))
        rows += _rows(label, *rates)
    return _curve(
        rows,
        ("fpr", "tpr"),
        ("fpr", "tpr"),
        ("False positive rate", "True positive rate"),
        title,
        split_table,
    )


def _classes(y_true: Any, y_probas: Any, labels: list[str] | None, wanted: list[Any] | None) -> Any:
    """Yield for each class its label, which samples are of it, and their probabilities of it."""
    import numpy as np

    truth, probabilities = np.array(y_true), np.array(y_probas)
    classes = np.unique(truth)
    if probabilities.ndim != 2:
        raise IndexError(
            f"y_probas has the shape {probabilities.shape}, but must be (samples, classes). With "
            "the probability p of the second of two classes, pass np.stack([1 - p, p], axis=1)."
        )
    for place in np.flatnonzero(np.isin(classes, classes if wanted is None else wanted)):
        label = classes[place]
        if labels is not None and np.issubdtype(classes.dtype, np.integer):
            label = labels[label]
        scores = probabilities[:, place]
        if not np.isfinite(scores).all():
            raise ValueError("y_probas holds numbers that are not finite; leave those samples out.")
        if len(scores) != len(truth):
            raise ValueError(
                f"There are probabilities of {len(scores)} samples, but {len(truth)} true classes."
            )
        yield label, truth == classes[place], scores


def _counts(truth: Any, scores: Any) -> tuple[Floats, Floats]:
    """Return how many samples are true positives, and how many are positives at all, at each
    threshold from the highest down."""
    import numpy as np

    order = np.argsort(scores, kind="mergesort")[::-1]
    truth, scores = truth[order], scores[order]
    last_of_each = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    true_positives = np.cumsum(truth)[last_of_each]
    return true_positives.astype(float), 1.0 + last_of_each


def _rate(counts: Floats) -> Floats:
    import numpy as np

    shares = np.append(0.0, counts)
    return shares / shares[-1] if shares[-1] > 0 else np.full(len(shares), np.nan)


def _rows(label: Any, first: Floats, second: Floats) -> list[list[Any]]:
    import numpy as np

    plain = label.item() if hasattr(label, "item") else label
    pairs = zip(np.round(first, _DECIMALS), np.round(second, _DECIMALS), strict=True)
    return [[plain, float(one), float(other)] for one, other in pairs]


def _curve(
    rows: list[list[Any]],
    columns: tuple[str, str],
    axes: tuple[str, str],
    names: tuple[str, str],
    title: str,
    split_table: bool,
) -> CustomChart:
    from quark.compat.wandb.data_types.table import Table
    from quark.compat.wandb.data_types.table_types import UNKNOWN

    return plot_table(
        "wandb/area-under-curve/v0",
        Table(columns=["class", *columns], data=rows, dtype=[UNKNOWN, float, float]),
        {"x": axes[0], "y": axes[1], "class": "class"},
        {"title": title, "x-axis-title": names[0], "y-axis-title": names[1]},
        split_table,
    )
