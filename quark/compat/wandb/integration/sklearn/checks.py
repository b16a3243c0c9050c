"""What a chart needs of a model and of its data; and how a chart is logged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from quark.compat import wandb
from quark.compat.wandb import term
from quark.compat.wandb.integration.requirement import library

#: The most rows that a chart is made of, as in W&B.
CHART_LIMIT = 1000

_base: Any = library("sklearn.base", integration="sklearn", install="scikit-learn")
_validation: Any = library("sklearn.utils.validation", integration="sklearn")
_exceptions: Any = library("sklearn.exceptions", integration="sklearn")

#: What tells each kind of model, and what it is called.
KINDS = {
    "classifier": (_base.is_classifier, "a classifier"),
    "regressor": (_base.is_regressor, "a regressor"),
    "clusterer": (_base.is_clusterer, "a clusterer"),
    "model": (
        lambda model: _base.is_classifier(model) or _base.is_regressor(model),
        "a classifier or a regressor",
    ),
}


def is_kind(kind: str, model: Any) -> bool:
    """Say whether ``model`` is one of :data:`KINDS`; tell the user if it is not."""
    matches, name = KINDS[kind]
    if model is not None and isinstance(model, _base.BaseEstimator) and matches(model):
        return True
    term.termerror(f"{type(model).__name__} is not {name}, so there is no chart of it.")
    return False


def is_fitted(model: Any) -> bool:
    """Say whether ``model`` was fitted; tell the user if it was not."""
    try:
        _validation.check_is_fitted(model)
    except _exceptions.NotFittedError:
        term.termerror(f"{type(model).__name__} is not fitted. Fit it before it is charted.")
        return False
    return True


def are_given(**arrays: Any) -> bool:
    """Say whether all of ``arrays`` are there and, for samples, are numbers without gaps."""
    import numpy

    for name, array in arrays.items():
        if array is None or not isinstance(array, (Sequence, Iterable)):
            term.termerror(f"{name} is {array!r}, but must be an array.")
            return False
        if name in ("X", "X_test"):
            values = numpy.asarray(array.toarray() if hasattr(array, "toarray") else array)
            if not numpy.issubdtype(values.dtype, numpy.number):
                term.termerror(f"{name} holds values that are not numbers. Encode them first.")
                return False
            missing = int(numpy.isnan(values).sum())
            if missing:
                term.termwarn(f"{name} has {missing} missing values, so there is no chart of it.")
                return False
    return True


def log_chart(key: str, spec: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Log the chart ``spec`` of a table."""
    table = wandb.Table(columns=list(columns), data=[_plain(row) for row in rows])
    wandb.log({key: wandb.visualize(spec, table)})


def limited(rows: Iterable[Any], chart: str, limit: int = CHART_LIMIT) -> list[Any]:
    """Return the first ``limit`` rows; tell the user if there are more."""
    found = list(rows)
    if len(found) > limit:
        term.termwarn(f"only the first {limit} of {len(found)} points are in the chart {chart}.")
    return found[:limit]


def _plain(row: Sequence[Any]) -> list[Any]:
    return [cell.item() if hasattr(cell, "item") else cell for cell in row]
