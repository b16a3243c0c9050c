"""What was taken of a model's parameters, on its way from the device, and what became of it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from quark.hooks.parameter_groups import OptimizerGroup
from quark.hooks.parameter_places import ParameterPlace
from quark.hooks.parameter_tensors import Entry, Measured, SentTensors
from quark.hooks.statistics import Slot
from quark.hooks.updates import Norm

if TYPE_CHECKING:
    from torch import dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterReading:
    """What is known of one parameter. What was not asked for, or is not there, is None."""

    place: ParameterPlace
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    element_count: int
    group: OptimizerGroup | None
    learning_rate: float | None
    value: Measured | None = None
    gradient: Measured | None = None
    update: Measured | None = None
    update_to_value_ratio: float | None = None
    gradient_is_sparse: bool = False


class SeenParameter(NamedTuple):
    """One parameter as it was found, with where the numbers will be."""

    place: ParameterPlace
    shape: tuple[int, ...]
    dtype: dtype
    requires_grad: bool
    element_count: int
    group: OptimizerGroup | None
    entries: Mapping[str, Entry | None]
    gradient_is_sparse: bool
    norm: Norm | None
    norm_before: Norm | None


class TakenParameters:
    """What :meth:`ParameterReader.take` took, on its way from the device."""

    def __init__(
        self, seen: list[SeenParameter], sent: SentTensors, rates: dict[int, Slot]
    ) -> None:
        self._seen = seen
        self._sent = sent
        self._rates = rates
        self.size_bytes = sent.size_bytes

    def __len__(self) -> int:
        return len(self._seen)

    def ready(self) -> bool:
        """Say whether everything has arrived. Never waits."""
        return self._sent.ready()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Iterator[ParameterReading]]:
        """Give what was taken, parameter by parameter, waiting for it if need be.

        Samples hold until the end of the ``with``, and can be read once.
        """
        try:
            yield (self._read(item) for item in self._seen)
        finally:
            self._sent.release()
            self._seen = []

    def _read(self, item: SeenParameter) -> ParameterReading:
        found = {
            kind: self._sent.read(entry)
            for kind, entry in item.entries.items()
            if entry is not None
        }
        value, update = found.get("value"), found.get("update")
        if update is not None:
            update = update.negated()  # it was measured as before minus now
        if item.norm is not None and value is not None and value.statistics is not None:
            item.norm.value = value.statistics.norm
        return ParameterReading(
            place=item.place,
            shape=tuple(item.shape),
            dtype=str(item.dtype).removeprefix("torch."),
            requires_grad=item.requires_grad,
            element_count=item.element_count,
            group=item.group,
            learning_rate=self._rate(item.group),
            value=value,
            gradient=found.get("gradient"),
            update=update,
            update_to_value_ratio=_ratio(update, item.norm_before),
            gradient_is_sparse=item.gradient_is_sparse,
        )

    def _rate(self, group: OptimizerGroup | None) -> float | None:
        if group is None:
            return None
        slot = self._rates.get(group.number)
        if slot is not None:
            return self._sent.number(slot)
        return group.learning_rate if isinstance(group.learning_rate, float) else None


def _ratio(update: Measured | None, before: Norm | None) -> float | None:
    if update is None or update.statistics is None or before is None:
        return None
    moved, norm = update.statistics.norm, before.value
    if moved is None or norm is None:
        return None
    if not norm:
        return math.inf if moved else 0.0
    return moved / norm
