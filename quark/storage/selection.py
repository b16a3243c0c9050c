"""What the filters of :mod:`quark.storage.model` mean, in one place for every store."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from quark import ids
from quark.errors import SchemaValidationError
from quark.records import Record
from quark.storage.model import NO_STEP, StepRange

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quark.storage.model import Int64Array

LOWEST = NO_STEP + 1
HIGHEST = 2**63 - 1
_FILTER_TYPES = (str, int, float, bool, type(None))


class Bounds(NamedTuple):
    """An inclusive range within int64, or one that nothing lies in (``low > high``)."""

    low: int
    high: int

    def covers(self, low: int, high: int) -> bool:
        """Say whether all of ``low`` to ``high`` lies inside."""
        return self.low <= low and high <= self.high

    def misses(self, low: int, high: int) -> bool:
        """Say whether nothing of ``low`` to ``high`` lies inside."""
        return high < self.low or low > self.high


class Selection(NamedTuple):
    """A :class:`StepRange` with its bounds joined; None where nothing is asked."""

    step: Bounds | None
    epoch: Bounds | None
    limit: int | None

    @property
    def is_everything(self) -> bool:
        return self.step is None and self.epoch is None

    def mask(self, step: Int64Array, epoch: Int64Array) -> NDArray[np.bool_]:
        """Return which rows are selected by step and epoch."""
        chosen: NDArray[np.bool_] = step == step
        if self.step is not None:
            chosen &= (step >= self.step.low) & (step <= self.step.high)
        if self.epoch is not None:
            chosen &= (epoch >= self.epoch.low) & (epoch <= self.epoch.high)
        return chosen


def selection(steps: StepRange) -> Selection:
    """Join the bounds of ``steps``.

    Raises:
        SchemaValidationError: The limit is negative.
    """
    if steps.limit is not None and steps.limit < 0:
        raise SchemaValidationError(f"limit is {steps.limit}; it must be 0 or more, or None.")
    return Selection(
        _bounds(steps.step, steps.step_min, steps.step_max),
        _bounds(steps.epoch, steps.epoch_min, steps.epoch_max),
        steps.limit,
    )


def check_filters(kind: type[Record], equals: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return ``equals`` with every value as a tuple of alternatives.

    Raises:
        SchemaValidationError: A field cannot be selected by, or a value is no plain value.
    """
    checked: dict[str, tuple[Any, ...]] = {}
    for name, wanted in equals.items():
        if name != "id" and name not in kind.FILTERS:
            options = ", ".join(sorted({*kind.FILTERS, "id"}))
            raise SchemaValidationError(
                f"{kind.KIND!r} records cannot be selected by {name!r}; they can by {options}, "
                "and by step and epoch."
            )
        alternatives = wanted if isinstance(wanted, tuple) else (wanted,)
        for value in alternatives:
            too_big = isinstance(value, int) and not LOWEST <= value <= HIGHEST
            if not isinstance(value, _FILTER_TYPES) or too_big:
                raise SchemaValidationError(
                    f"{name}={value!r} cannot be selected by: give a string, a number of at most "
                    "64 bits, a boolean, None, or a tuple of them."
                )
        checked[name] = alternatives
    return checked


def default_of(kind: type[Record], name: str) -> Any:
    """Return what the field is when a body leaves it out; None if it has no default."""
    default = next(item.default for item in dataclasses.fields(kind) if item.name == name)
    return None if default is dataclasses.MISSING else default


def parse_record_id(record_id: Any) -> tuple[str, int, int] | None:
    """Return writer, seq and ordinal of an id that ``ids.record_id`` made, else None.

    >>> parse_record_id("w1-17.2"), parse_record_id("w1-17"), parse_record_id("nonsense")
    (('w1', 17, 2), ('w1', 17, 0), None)
    """
    if not isinstance(record_id, str):
        return None
    writer_id, _, place = record_id.rpartition("-")
    seq, _, ordinal = place.partition(".")
    try:
        parsed = (writer_id, int(seq), int(ordinal or "0"))
    except ValueError:
        return None
    in_range = 0 <= parsed[1] <= HIGHEST and 0 <= parsed[2] <= HIGHEST
    return parsed if in_range and ids.record_id(*parsed) == record_id else None


def _bounds(exact: int | None, low: int | None, high: int | None) -> Bounds | None:
    if exact is None and low is None and high is None:
        return None
    lows = [bound for bound in (exact, low) if bound is not None]
    highs = [bound for bound in (exact, high) if bound is not None]
    bounds = Bounds(max([LOWEST, *lows]), min([HIGHEST, *highs]))
    return bounds if bounds.low <= bounds.high else Bounds(HIGHEST, LOWEST)
