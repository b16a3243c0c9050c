"""The cells of a table as they are written, in two ways.

In a run's file everything comes back as it was: NaN is NaN, a moment is its ISO text. In an
artifact a cell is written as W&B does it, because its digest depends on that: NaN is null, a moment
is a number of milliseconds.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from quark.compat.wandb.data_types.base import (
    LOST_TYPE,
    ArtifactFiles,
    Keeper,
    Media,
    WBValue,
)
from quark.compat.wandb.term import warn_once
from quark.compat.wandb.values import plain

#: What is written as it is.
SCALARS = frozenset({int, float, str, bool, type(None)})

_UTC = datetime.UTC


#: Classes of numpy whose values have an ``item()`` that is written as it is; as they are met.
NUMPY_SCALARS: set[type] = set()


def exact_cell(value: Any, keeper: Keeper) -> Any:
    """Return how a run's file has a cell; ``keeper`` takes the files of media."""
    if type(value) in SCALARS:
        return value
    if _is_missing(value):
        return None
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if _is_moment(value):
        moment = value.tolist()  # a number of nanoseconds, if it is as exact as that
        return str(value) if isinstance(moment, int) else moment.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    opened, inside = _opened(value, keeper)
    if opened is None:
        return None if value is None else _scalar(value)
    if isinstance(opened, dict):
        if inside:
            return opened
        return {str(key): exact_cell(item, keeper.within(str(key))) for key, item in opened.items()}
    return [exact_cell(item, keeper.within(str(place))) for place, item in enumerate(opened)]


def artifact_cell(value: Any, keeper: ArtifactFiles) -> Any:
    """Return how W&B has a cell in an artifact."""
    if type(value) is float and value != value:
        return None
    if type(value) in SCALARS:
        return value
    if _is_missing(value):
        return None
    if isinstance(value, datetime.datetime):
        aware = value.replace(tzinfo=_UTC) if value.tzinfo is None else value
        return int(aware.timestamp() * 1000)
    if isinstance(value, datetime.date):
        moment = datetime.datetime(value.year, value.month, value.day, tzinfo=_UTC)
        return int(moment.timestamp() * 1000)
    if _is_moment(value):
        moment = value.tolist()
        return moment / 1e6 if isinstance(moment, int) else artifact_cell(moment, keeper)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Media):
        return value.in_artifact(keeper)
    opened, inside = _opened(value, keeper)
    if opened is None:
        return None if value is None else artifact_cell(_scalar(value), keeper)
    if isinstance(opened, dict):
        if inside:
            return opened
        return {
            key: artifact_cell(item, keeper.within(str(key)))
            for key, item in sortable(opened).items()
        }
    return [artifact_cell(item, keeper.within(str(place))) for place, item in enumerate(opened)]


def sortable(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a dict whose keys can be sorted: as they are, or as texts if they are mixed."""
    if len(set(map(type, values))) < 2:
        return dict(values)
    return {str(key): value for key, value in values.items()}


def _opened(value: Any, keeper: Keeper) -> tuple[dict[Any, Any] | list[Any] | None, bool]:
    """Return what is inside of a cell, if anything is, and whether that is written as it is."""
    if isinstance(value, Media):
        return _stored(value, keeper), True
    if isinstance(value, WBValue) or hasattr(value, "as_plain"):
        return dict(plain(value)), True
    if isinstance(value, Mapping):
        return dict(value), False
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value), False
    if hasattr(value, "tolist"):
        listed = (value.detach().cpu() if hasattr(value, "detach") else value).tolist()
        return (listed, False) if isinstance(listed, list) else (None, False)
    return None, False


def _stored(value: Media, keeper: Keeper) -> dict[str, Any]:
    try:
        return value.stored(keeper)
    except OSError as error:  # the rest of the table is worth keeping
        kind = type(value).__name__
        warn_once(f"cell {kind}", f"a {kind} in a table could not be kept: {error}.")
        return {"_type": LOST_TYPE, "kind": kind, "reason": str(error)}


def _scalar(value: Any) -> Any:
    """Return the plain form of a cell with nothing inside."""
    if hasattr(value, "tolist"):  # of numpy, or a tensor without dimensions
        number = value.tolist()
        if type(number) not in SCALARS:
            return _scalar_of_another(number)
        if type(value).__module__ == "numpy" and type(value).__name__ != "ndarray":
            NUMPY_SCALARS.add(type(value))
        return number
    return value.name if isinstance(value, enum.Enum) else plain(value)


def _scalar_of_another(number: Any) -> Any:
    try:
        return float(number)  # a longer float than Python's
    except (TypeError, ValueError):
        return plain(number) if not hasattr(number, "tolist") else str(number)


def _is_moment(value: Any) -> bool:
    return type(value).__name__ == "datetime64" and type(value).__module__ == "numpy"


def _is_missing(value: Any) -> bool:
    """Say whether a cell is pandas' or numpy's word for a moment or a value that is not there."""
    name = type(value).__name__
    return name in ("NaTType", "NAType") or (name == "datetime64" and value != value)
