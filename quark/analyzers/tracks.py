"""Growing columns: records of layers and parameters as they come, one row at a time."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from quark.analyzers.evidence import LayerTrack, ParameterTrack

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, Int64Array

_NAN: Final = float("nan")

LAYER_FLOATS = ("mean", "std", "norm", "dead_unit_ratio", "saturation_ratio")
PARAMETER_FLOATS = (
    "value_mean",
    "value_std",
    "value_norm",
    "value_min",
    "value_max",
    "value_near_zero_ratio",
    "gradient_mean",
    "gradient_std",
    "gradient_norm",
    "gradient_near_zero_ratio",
    "update_norm",
    "update_to_value_ratio",
    "learning_rate",
    "optimizer_group_index",
)


class GrowingTrack:
    """Columns of one layer or parameter. ``first`` is the body of its first record.

    At ``limit`` rows every second one is dropped, and from then on every second one is taken, so
    that a run of any length is held in bounded memory.
    """

    __slots__ = ("_limit", "_seen", "_stride", "counts", "first", "floats", "steps")

    def __init__(
        self, first: Mapping[str, Any], floats: tuple[str, ...], counts: int, limit: int
    ) -> None:
        self.first = first
        self.steps = array("q")
        self.floats = {name: array("d") for name in floats}
        self.counts = tuple(array("q") for _ in range(counts))
        self._limit = limit
        self._seen = 0
        self._stride = 1

    def add(
        self, step: int, body: Mapping[str, Any], counts: tuple[int, ...], *, odd: bool = False
    ) -> None:
        """Take one record; an ``odd`` one, with values that are not finite, is always taken."""
        self._seen += 1
        if self._seen % self._stride and not odd:
            return
        self.steps.append(step)
        get = body.get
        for name, column in self.floats.items():
            value = get(name)
            column.append(_NAN if value is None else float(value))
        for number, counted in zip(counts, self.counts, strict=True):
            counted.append(number)
        if len(self.steps) >= self._limit:
            self._thin_out()

    def _thin_out(self) -> None:
        for numbers in self.floats.values():
            numbers[:] = numbers[::2]
        for column in (self.steps, *self.counts):
            column[:] = column[::2]
        self._stride *= 2

    def order(self) -> Int64Array:
        """Return the rows by step, of equal steps the last to come."""
        return last_of_each(np.array(self.steps, np.int64))

    def column(self, name: str, order: Int64Array) -> Float64Array:
        """Return a column by step."""
        return np.array(self.floats[name], np.float64)[order]


def last_of_each(steps: Int64Array) -> Int64Array:
    """Return the places of the last of each step, by step."""
    if len(steps) < 2 or bool((steps[1:] > steps[:-1]).all()):
        return np.arange(len(steps))
    order = np.argsort(steps, kind="stable")
    is_last = np.append(steps[order][1:] != steps[order][:-1], True)
    return np.asarray(order[is_last], np.int64)


def layer_track(track: GrowingTrack, place: int) -> LayerTrack:
    """Return what has grown as a track."""
    order, first = track.order(), track.first
    elements, nonfinite = (np.array(column, np.int64)[order] for column in track.counts)
    return LayerTrack(
        module_name=first["module_name"],
        module_type=first.get("module_type", ""),
        summary_type=first["summary_type"],
        place=place,
        call_index=first.get("call_index", 0),
        step=np.array(track.steps, np.int64)[order],
        element_count=elements,
        nonfinite_count=nonfinite,
        **{name: track.column(name, order) for name in LAYER_FLOATS},
    )


def parameter_track(track: GrowingTrack) -> ParameterTrack:
    """Return what has grown as a track."""
    order, first = track.order(), track.first
    values, gradients = (np.array(column, np.int64)[order] for column in track.counts)
    return ParameterTrack(
        name=full_name(first),
        module_name=first.get("module_name", ""),
        module_type=first.get("module_type", ""),
        parameter_role=first.get("parameter_role", "other"),
        element_count=first.get("element_count", 0),
        requires_grad=first.get("requires_grad", True),
        step=np.array(track.steps, np.int64)[order],
        value_nonfinite_count=values,
        gradient_nonfinite_count=gradients,
        **{name: track.column(name, order) for name in PARAMETER_FLOATS},
    )


def full_name(body: Mapping[str, Any]) -> str:
    """Return a parameter's name as ``named_parameters`` has it."""
    module, parameter = body.get("module_name", ""), body["parameter_name"]
    if not module or parameter.startswith(f"{module}."):
        return str(parameter)
    return f"{module}.{parameter}"
