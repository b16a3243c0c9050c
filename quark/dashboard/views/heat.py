"""Matrices of layers by steps, as a picture shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.dashboard.views.layer_history import LayerHistory, Track


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Something that is shown of every layer or parameter.

    ``take`` is what a cell holds of several probes. ``bad`` is what counts as the worst: the
    ``"highest"``, or what is ``"farthest"`` from the middle of all, in orders of magnitude.
    """

    name: str
    title: str
    of: str  # "activations", "gradients" or "parameters"
    field: str
    take: str  # "greatest" or "mean"
    bad: str
    is_ratio: bool = False
    about: str = ""


MEASURES = (
    Measure(
        name="gradient_norm", title="Gradient norm", of="gradients", field="norm",
        take="greatest", bad="farthest",
        about="L2 norm of the loss's gradient with respect to what a layer puts out. Even rows are "
        "good; rows that fade away do not learn, rows that glow explode.",
    ),
    Measure(
        name="update_ratio", title="Update ratio", of="parameters", field="update_to_value_ratio",
        take="greatest", bad="farthest",
        about="How far the optimizer moved a parameter, relative to the parameter's own norm. "
        "About 0.001 is usual.",
    ),
    Measure(
        name="dead_units", title="Dead units", of="activations", field="dead_unit_ratio",
        take="greatest", bad="highest", is_ratio=True,
        about="Share of a layer's outputs that are exactly 0. Half is usual after a ReLU; a layer "
        "near 1 passes nothing on.",
    ),
    Measure(
        name="activation_std", title="Activation std", of="activations", field="std",
        take="mean", bad="farthest",
        about="Standard deviation of what a layer puts out. It should neither fade nor grow from "
        "layer to layer.",
    ),
    Measure(
        name="saturation", title="Saturated units", of="activations", field="saturation_ratio",
        take="greatest", bad="highest", is_ratio=True,
        about="Share of outputs at the ends of a bounded activation's range, where gradients "
        "vanish.",
    ),
    Measure(
        name="parameter_gradient_norm", title="Gradient norm of parameters", of="parameters",
        field="gradient_norm", take="greatest", bad="farthest",
        about="L2 norm of the loss's gradient with respect to a parameter.",
    ),
    Measure(
        name="parameter_norm", title="Norm of parameters", of="parameters", field="value_norm",
        take="mean", bad="farthest",
        about="L2 norm of a parameter. Weights that grow and grow are diverging.",
    ),
)  # fmt: skip
BY_NAME = {one.name: one for one in MEASURES}


def rows_of(history: LayerHistory, measure: Measure) -> dict[str, list[Track]]:
    """Return what a measure has a row for, with its tracks, from the input to the loss."""
    if measure.of == "parameters":
        rows = {name: [track] for name, track in history.parameters.items()}
    else:
        by_module: dict[str, list[Track]] = {}
        for (name, *_), track in getattr(history, measure.of).items():
            by_module.setdefault(name, []).append(track)
        rows = {name: by_module[name] for name in history.modules() if name in by_module}
    return {
        name: tracks
        for name, tracks in rows.items()
        if any(_is_measured(track, measure) for track in tracks)
    }


def _is_measured(track: Track, measure: Measure) -> bool:
    """Say whether there is any value; a NaN is unequal to itself."""
    if any(value == value for value in track.columns[measure.field]):
        return True
    return not measure.is_ratio and any(track.nonfinite)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heat:
    """``value`` is NaN where nothing was measured; ``nonfinite`` marks cells with NaN or infinity.

    ``starts`` and ``ends`` are the first and the last step of each column.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    value: NDArray[np.float64]
    nonfinite: NDArray[np.bool_]


def heat_of(
    rows: dict[str, list[Track]],
    measure: Measure,
    columns: int,
    low: int | None = None,
    high: int | None = None,
) -> Heat:
    """Cut rows into at most ``columns`` columns, each of as many of the steps that were probed."""
    read = {
        name: [(*track.column(measure.field), track.bad()) for track in tracks]
        for name, tracks in rows.items()
    }
    every = [steps for parts in read.values() for steps, _, _ in parts]
    steps = np.unique(np.concatenate(every)) if every else np.empty(0, np.int64)
    if low is not None:
        steps = steps[steps >= low]
    if high is not None:
        steps = steps[steps <= high]
    count = min(columns, len(steps))
    groups = np.array_split(steps, count) if count else []
    starts = np.array([group[0] for group in groups], np.int64)
    ends = np.array([group[-1] for group in groups], np.int64)
    value = np.full((len(rows), count), np.nan)
    nonfinite = np.zeros((len(rows), count), bool)
    for row, parts in enumerate(read.values()):
        _fill(value[row], nonfinite[row], parts, measure.take, starts, ends)
    return Heat(names=tuple(rows), starts=starts, ends=ends, value=value, nonfinite=nonfinite)


def _fill(
    value: NDArray[np.float64],
    nonfinite: NDArray[np.bool_],
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]],
    take: str,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> None:
    """Put the probes of one row into its cells."""
    if not len(starts):
        return
    total, count = np.zeros(len(value)), np.zeros(len(value))
    for steps, numbers, bad in parts:
        inside = (steps >= starts[0]) & (steps <= ends[-1])
        steps, numbers, bad = steps[inside], numbers[inside], bad[inside]
        place = np.searchsorted(starts, steps, side="right") - 1
        np.logical_or.at(nonfinite, place, bad | np.isinf(numbers))
        known = np.isfinite(numbers)
        if take == "greatest":
            np.fmax.at(value, place[known], numbers[known])
        else:
            np.add.at(total, place[known], numbers[known])
            np.add.at(count, place[known], 1)
    if take != "greatest":
        value[count > 0] = total[count > 0] / count[count > 0]


def badness(heat: Heat, measure: Measure) -> NDArray[np.float64]:
    """Return a number for each row; the worst has the highest. What is not finite is worst."""
    with np.errstate(all="ignore"):
        if measure.bad == "highest":
            score = _row_means(heat.value)
        else:
            sizes = np.log10(np.where(heat.value > 0, heat.value, np.nan))
            known = sizes[np.isfinite(sizes)]
            middle = float(np.median(known)) if len(known) else 0.0
            distance = np.abs(sizes - middle)
            distance[heat.value == 0] = np.nanmax(distance, initial=0.0) + 1.0
            score = _row_means(distance)
    return np.asarray(score + 1e6 * heat.nonfinite.mean(axis=1) if heat.value.size else score)


def _row_means(value: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(value)
    count = known.sum(axis=1)
    return np.where(count, np.where(known, value, 0.0).sum(axis=1) / np.maximum(count, 1), -1.0)


def rounded(values: NDArray[np.float64], digits: int = 4) -> list[Any]:
    """Return numbers with so many digits, None for NaN: answers are a third as long.

    >>> rounded(np.array([[0.123456, np.nan], [123456.0, 0.0]]))
    [[0.1235, None], [123500.0, 0.0]]
    """
    with np.errstate(all="ignore"):
        size = np.floor(np.log10(np.abs(values)))
        size[~np.isfinite(size)] = 0.0
        size = np.clip(size, -300, 300)
        scaled = np.round(values / 10.0**size, digits - 1)
    return [
        [
            None if v != v else float(f"{v:.{digits - 1}f}e{int(s)}")
            for v, s in zip(*pair, strict=True)
        ]
        for pair in zip(scaled.tolist(), size.tolist(), strict=True)
    ]
