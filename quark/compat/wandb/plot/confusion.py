"""The confusion matrix: how often each class was taken for each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quark.compat.wandb.plot.charts import CustomChart, plot_table


def confusion_matrix(
    probs: Any = None,
    y_true: Sequence[Any] | None = None,
    preds: Sequence[Any] | None = None,
    class_names: Sequence[str] | None = None,
    title: str = "Confusion Matrix Curve",
    split_table: bool = False,
) -> CustomChart:
    """Draw how many samples of each class were taken for each class.

    Args:
        probs: The probability of each class, shape (samples, classes); instead of ``preds``.
        y_true: The true class of each sample.
        preds: The class each sample was taken for.
        class_names: The classes' names, for classes 0, 1, ...

    Raises:
        ValueError: Both ``probs`` and ``preds`` are given, they are not as many as
            ``y_true``, or there are more classes than names.
        TypeError: ``y_true`` is missing, or both of ``probs`` and ``preds`` are.
        KeyError: A class is not one of those that ``class_names`` names.

    >>> chart = confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=["cat", "dog"])
    >>> chart.table.data
    [['cat', 'cat', 1.0], ['cat', 'dog', 0.0], ['dog', 'cat', 1.0], ['dog', 'dog', 1.0]]
    """
    from quark.compat.wandb.data_types.table import Table

    if probs is not None and preds is not None:
        raise ValueError("Give either probs or preds, not both.")
    if probs is not None:
        import numpy as np

        preds = np.argmax(probs, axis=1).tolist()
    if preds is None or y_true is None:
        raise TypeError("confusion_matrix() needs y_true, and preds or probs.")
    if len(preds) != len(y_true):
        raise ValueError(
            f"There are {len(preds)} predictions for {len(y_true)} true classes; give one for each."
        )
    truth, taken_for = ([_plain(value) for value in values] for values in (y_true, preds))
    if class_names is None:
        classes = sorted({*truth, *taken_for})
        names: Sequence[str] = [f"Class_{number + 1}" for number in range(len(classes))]
    else:
        classes, names = list(range(len(class_names))), class_names
        for what, values in (("predicted", taken_for), ("true", truth)):
            if len(set(values)) > len(names):
                raise ValueError(
                    f"There are {len(set(values))} {what} classes, but {len(names)} class_names."
                )
    places = {value: place for place, value in enumerate(classes)}
    counts = [[0.0] * len(classes) for _ in classes]
    for true, predicted in zip(truth, taken_for, strict=True):
        counts[places[true]][places[predicted]] += 1
    columns = ["Actual", "Predicted", "nPredictions"]
    rows = [
        [actual, predicted, counts[row][column]]
        for row, actual in enumerate(names)
        for column, predicted in enumerate(names)
    ]
    return plot_table(
        "wandb/confusion_matrix/v1",
        Table(columns=columns, data=rows),
        {column: column for column in columns},
        {"title": title},
        split_table,
    )


def _plain(value: Any) -> Any:
    """Return a class as a dict can look it up: of numpy and of tensors, their number."""
    return value.item() if hasattr(value, "item") else value
