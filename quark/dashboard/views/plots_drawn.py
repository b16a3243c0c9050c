"""From a logged table to what a page draws: lines, points, bars, counts, a matrix.

A table may have a million rows. What is returned is what eyes can tell apart on a screen: of lines
the extremes of each stretch, of points one for each place, of values their counts. Every drawing
says how many rows it stands for, how many could not be drawn, and whether it was thinned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.dashboard.views.media_reading import ReadTable
    from quark.dashboard.views.plots_named import Plot

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

_MAX_CLASSES = 40
_MAX_LINE_POINTS = 24_000
_MAX_POINTS = 5000
_MAX_BARS = 100
_MAX_BINS = 50
_MAX_MATRIX = 60
_MAX_LABEL = 200
#: Beyond these a picture's own arithmetic would overflow, or divide by nothing.
_LARGEST = 1e300
_LEAST = 1e-290


def drawing_of(table: ReadTable, plot: Plot) -> dict[str, Any]:
    """Return what is to be drawn of a table.

    Raises:
        SchemaValidationError: A column is missing, or no row has what is needed.
    """
    chosen: dict[str, int] = {}
    for part, wishes in plot.columns:
        place = next((table.columns.index(one) for one in wishes if one in table.columns), None)
        if place is not None:
            chosen[part] = place
        elif part not in plot.optional or wishes:
            wanted = " or ".join(repr(name[:_MAX_LABEL]) for name in wishes)
            what = f"no column {wanted}" if wanted else f"no column for {part!r}"
            raise SchemaValidationError(f"The table has {what}, which the chart is made of.")
    columns = {part: [row[place] for row in table.rows] for part, place in chosen.items()}
    names = {part: table.columns[place][:_MAX_LABEL] for part, place in chosen.items()}
    if plot.kind in ("line", "curve"):
        drawn = _lines(columns, is_curve=plot.kind == "curve")
        drawn["diagonal"] = (names["x"], names["y"]) == ("fpr", "tpr")
    elif plot.kind == "scatter":
        drawn = _points(columns)
    elif plot.kind == "bar":
        drawn = _bars(columns)
    elif plot.kind == "histogram":
        drawn = _counts(columns["value"])
    else:
        drawn = _matrix(columns)
    titles = {"x_title": plot.x_title, "y_title": plot.y_title, "columns": names}
    return {**titles, "rows": len(table.rows), **drawn}


# -- lines ---------------------------------------------------------------------------------------


def _lines(columns: dict[str, list[Any]], *, is_curve: bool) -> dict[str, Any]:
    x, y = numbers(columns["x"]), numbers(columns["y"])
    fits = np.isfinite(x) & np.isfinite(y)
    _check(fits, "x", "y")
    labels, of_class = _classes(columns.get("class"), len(x))
    shown = labels[:_MAX_CLASSES]
    room = max(80, _MAX_LINE_POINTS // len(shown))
    lines, is_thinned = [], False
    for number, label in enumerate(shown):
        places = np.flatnonzero(fits & (of_class == number))
        places = places[np.argsort(x[places], kind="stable")]
        kept = places[thinned(x[places], y[places], room)]
        is_thinned |= len(kept) < len(places)
        line = {"label": label, "x": x[kept].tolist(), "y": y[kept].tolist(), "count": len(places)}
        if is_curve and len(places) > 1:
            line["area"] = area_under(x[places], y[places])
        lines.append(line)
    return {
        "lines": lines,
        "more_lines": len(labels) - len(shown),
        "skipped": int((~fits).sum()),
        "is_thinned": is_thinned,
    }


def thinned(x: Floats, y: Floats, room: int) -> Places:
    """Return which points of a line, with ``x`` ascending, draw the same picture.

    Of each of ``room / 4`` stretches of equal width they are the first, the last, the lowest and
    the highest.

    >>> thinned(np.arange(8.0), np.array([0.0, 5, 1, 2, 9, 3, 4, 0]), 4).tolist()
    [0, 4, 7]
    """
    if len(x) <= room:
        return np.arange(len(x))
    buckets = max(1, room // 4)
    width = x[-1] / buckets - x[0] / buckets
    bucket = np.zeros(len(x), np.int64)
    if width > 0:
        bucket = np.minimum(((x - x[0]) / width).astype(np.int64), buckets - 1)
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    ends = np.append(starts[1:], len(x)) - 1
    by_value = np.lexsort((y, bucket))  # a bucket's points stay where its points are
    return np.unique(np.concatenate([starts, ends, by_value[starts], by_value[ends]]))


def area_under(x: Floats, y: Floats) -> float:
    """Return the area under a line with ``x`` ascending, by the trapezoidal rule.

    >>> area_under(np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))
    1.0
    """
    return float(np.sum(np.diff(x) * (y[1:] / 2 + y[:-1] / 2)))


# -- points --------------------------------------------------------------------------------------


def _points(columns: dict[str, list[Any]]) -> dict[str, Any]:
    x, y = numbers(columns["x"]), numbers(columns["y"])
    fits = np.isfinite(x) & np.isfinite(y)
    _check(fits, "x", "y")
    labels, of_class = _classes(columns.get("class"), len(x))
    fits_class = fits & (of_class < _MAX_CLASSES)
    places = np.flatnonzero(fits_class)
    kept, counts = _one_for_each_place(x[places], y[places], of_class[places])
    kept = places[kept]
    return {
        "labels": labels[:_MAX_CLASSES],
        "more_lines": max(0, len(labels) - _MAX_CLASSES),
        "x": x[kept].tolist(),
        "y": y[kept].tolist(),
        "class": of_class[kept].tolist(),
        "row": kept.tolist(),
        "count": counts.tolist(),
        "skipped": int((~fits).sum()),
        "is_thinned": len(kept) < len(places),
    }


def _one_for_each_place(x: Floats, y: Floats, of_class: Places) -> tuple[Places, Places]:
    """Return points of which no two would be drawn in one place, and how many each stands for."""
    if len(x) <= _MAX_POINTS:
        return np.arange(len(x)), np.ones(len(x), np.int64)
    wide, tall = 320, 200
    while True:
        cell = (_cells(x, wide) * tall + _cells(y, tall)) * _MAX_CLASSES + of_class
        _, first, counts = np.unique(cell, return_index=True, return_counts=True)
        if len(first) <= _MAX_POINTS:
            order = np.argsort(first)
            return first[order], counts[order]
        wide, tall = wide * 3 // 4, tall * 3 // 4


def _cells(values: Floats, count: int) -> Places:
    low, span = float(values.min()), float(values.max() - values.min())
    if not span > 0:
        return np.zeros(len(values), np.int64)
    return np.minimum(((values - low) / span * count).astype(np.int64), count - 1)


# -- bars and counts -----------------------------------------------------------------------------


def _bars(columns: dict[str, list[Any]]) -> dict[str, Any]:
    values = numbers(columns["value"])
    fits = np.isfinite(values)
    _check(fits, "value")
    groups, of_group = _classes(columns.get("class"), len(values))
    sums: dict[tuple[str, int], float] = {}
    repeated = 0
    labels = columns["label"]
    for place in np.flatnonzero(fits).tolist():
        name = (_label(labels[place]), int(of_group[place]))
        repeated += name in sums
        sums[name] = sums.get(name, 0.0) + float(values[place])
    shown = list(sums.items())
    if len(shown) > _MAX_BARS:
        largest = sorted(range(len(shown)), key=lambda place: -abs(shown[place][1]))[:_MAX_BARS]
        shown = [shown[place] for place in sorted(largest)]
    used = sorted({group for (_, group), _ in shown})
    return {
        "bars": [
            {"label": label, "value": value, "group": used.index(group)}
            for (label, group), value in shown
        ],
        "groups": [groups[group] for group in used],
        "total": len(sums),
        "repeated": repeated,
        "skipped": int((~fits).sum()),
        "is_thinned": len(shown) < len(sums),
    }


def _counts(cells: list[Any]) -> dict[str, Any]:
    values = numbers(cells)
    fits = np.isfinite(values)
    _check(fits, "value")
    inside = values[fits]
    edges = bin_edges(inside)
    counts, _ = np.histogram(inside, edges)
    return {
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "mean": float(np.mean(inside)),
        "median": float(np.median(inside)),
        "skipped": int((~fits).sum()),
        "is_thinned": False,
    }


def bin_edges(values: Floats) -> Floats:
    """Return edges that people would choose: round ones, as many as the values carry, at most 50.

    Whole numbers that are not far apart get a bin each.

    >>> bin_edges(np.array([1.0, 2.0, 2.0, 4.0])).tolist()
    [0.5, 1.5, 2.5, 3.5, 4.5]
    """
    low, high = float(values.min()), float(values.max())
    if not high - low > max(abs(low) * 1e-12, abs(high) * 1e-12, _LEAST):
        half = abs(low) * 0.05 if abs(low) * 0.05 > _LEAST else 0.5
        return np.array([low - half, low + half])
    if high - low < _MAX_BINS and (values == np.floor(values)).all():
        return np.arange(low - 0.5, high + 1)
    quarter, three = np.quantile(values, [0.25, 0.75])
    wish = 2 * (three - quarter) / len(values) ** (1 / 3)  # Freedman and Diaconis, 1981
    fewest = (high - low) / max(5, min(30, math.sqrt(len(values)) * 2))
    width = _round_up(max((high - low) / (_MAX_BINS - 2), min(wish, fewest) or fewest))
    first, last = math.floor(low / width), math.floor(high / width) + 1
    first -= first * width > low  # what is next to nothing may be nothing when it is divided
    return np.arange(first, last + 1, dtype=np.float64) * width


def _round_up(width: float) -> float:
    """Return the next of 1, 2, 2.5, 5, 10, 20, ..."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width * (1 - 1e-9))


# -- the matrix ----------------------------------------------------------------------------------


def _matrix(columns: dict[str, list[Any]]) -> dict[str, Any]:
    values = numbers(columns["count"])
    fits = np.isfinite(values)
    _check(fits, "count")
    pairs = [
        (_label(actual), _label(predicted), value)
        for actual, predicted, value, fit in zip(
            columns["actual"], columns["predicted"], values.tolist(), fits.tolist(), strict=True
        )
        if fit
    ]
    seen = dict.fromkeys(actual for actual, _, _ in pairs)
    names = list(seen | dict.fromkeys(predicted for _, predicted, _ in pairs))
    sizes = dict.fromkeys(names, 0.0)
    for actual, predicted, value in pairs:
        sizes[actual] += abs(value)
        sizes[predicted] += abs(value)
    shown = names
    if len(names) > _MAX_MATRIX:
        largest = set(sorted(names, key=lambda name: -sizes[name])[:_MAX_MATRIX])
        shown = [name for name in names if name in largest]
    place_of = {name: place for place, name in enumerate(shown)}
    counts = np.zeros((len(shown), len(shown)))
    row_sums = np.zeros(len(shown))
    for actual, predicted, value in pairs:
        if actual in place_of:
            row_sums[place_of[actual]] += value  # of all classes, so that shares are true
            if predicted in place_of:
                counts[place_of[actual], place_of[predicted]] += value
    correct = sum(value for actual, predicted, value in pairs if actual == predicted)
    return {
        "classes": shown,
        "counts": counts.tolist(),
        "row_sums": row_sums.tolist(),
        "total": sum(value for _, _, value in pairs),
        "correct": correct,
        "class_count": len(names),
        "skipped": int((~fits).sum()),
        "is_thinned": len(shown) < len(names),
    }


# -- columns -------------------------------------------------------------------------------------


def numbers(cells: Sequence[Any]) -> Floats:
    """Return a column as numbers; what is none, or too large to be drawn, is NaN.

    >>> numbers([1, 2.5, None, "3", True, 10**400]).tolist()
    [1.0, 2.5, nan, nan, nan, nan]
    """
    if set(map(type, cells)) <= {float, type(None)}:
        values = np.array(cells, np.float64)
    else:
        values = np.array([_number(cell) for cell in cells], np.float64)
    values[np.abs(values) > _LARGEST] = np.nan
    return values


def _number(cell: Any) -> float:
    if type(cell) is float:
        return cell
    if not isinstance(cell, (int, float)) or isinstance(cell, bool) or abs(cell) > _LARGEST:
        return math.nan
    return float(cell)


def _classes(cells: list[Any] | None, count: int) -> tuple[list[str], Places]:
    """Return the classes by first appearance, and of which of them each row is."""
    if cells is None:
        return [""], np.zeros(count, np.int64)
    known: dict[str, int] = {}
    of_class = [known.setdefault(_label(cell), len(known)) for cell in cells]
    return list(known), np.array(of_class, np.int64)


def _label(cell: Any) -> str:
    text = cell if isinstance(cell, str) else "–" if cell is None else str(cell)
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        text = str(int(cell))
    return text if len(text) <= _MAX_LABEL else f"{text[:_MAX_LABEL]}…"


def _check(fits: NDArray[np.bool_], *parts: str) -> None:
    if not fits.any():
        what = "numbers for its " + " and ".join(parts)
        raise SchemaValidationError(f"None of the table's {len(fits)} rows has {what}.")
