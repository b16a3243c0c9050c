"""Statistics of many tensors, collected where they are and sent to the host once.

A :class:`StatisticsBoard` collects a few scalars a tensor, each still on the tensor's device (on a
CPU they are numbers already);
:meth:`StatisticsBoard.send` puts them into one small tensor per device and starts its copy.
:func:`read` makes numbers of them, later and elsewhere. Elements that are not finite are counted
and otherwise left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from quark.hooks.kernels import (
    as_plain_tensor,
    count_away_from_zero,
    count_saturated,
    extremes,
    in_double,
    load,
    moments_anywhere,
    moments_on_cpu,
    not_a_number_unless_finite,
)
from quark.hooks.transfer import Transfer

if TYPE_CHECKING:
    from torch import Tensor, device, dtype


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure besides mean, standard deviation and norm.

    ``near_zero``: count elements whose absolute value is at most this. ``saturation``: count
    elements at or beyond these bounds (None: no bound on that side). ``extremes``: smallest and
    largest.
    """

    near_zero: float | None = None
    saturation: tuple[float | None, float | None] | None = None
    extremes: bool = False


NOTHING_MORE = Wanted()


class Statistics(NamedTuple):
    """What was measured of one tensor; None where no finite element is left to measure.

    ``std`` and ``variance`` are of the population, ``norm`` is the L2 norm. Ratios are shares of
    all elements, 0 to 1. Squares are taken in float32 on a device: of finite elements above some
    1e19 ``std``, ``variance`` and ``norm`` are infinite there (and ``mean`` None where even the
    sum is), of elements below 1e-19 they may be 0. On a CPU they are right for all of float32.
    """

    element_count: int
    nonfinite_count: int
    mean: float | None
    std: float | None
    variance: float | None
    norm: float | None
    minimum: float | None = None
    maximum: float | None = None
    near_zero_ratio: float | None = None
    saturation_ratio: float | None = None

    def divided_by(self, scale: float) -> Statistics:
        """Return what the statistics of the tensor divided by ``scale`` are."""
        return self._replace(
            mean=_divided(self.mean, scale),
            std=_divided(self.std, scale),
            variance=_divided(_divided(self.variance, scale), scale),
            norm=_divided(self.norm, scale),
            minimum=_divided(self.minimum, scale),
            maximum=_divided(self.maximum, scale),
        )


class Slot(NamedTuple):
    """Where the numbers of one tensor are on a board: mean, variance, count of finite elements,
    and what else was wanted."""

    group: tuple[device, dtype]
    start: int
    wanted: Wanted
    element_count: int


class Numbers(NamedTuple):
    """What was measured of a tensor on the CPU, in the order of a :class:`Slot`."""

    wanted: Wanted
    element_count: int
    values: list[float]


class StatisticsBoard:
    """Collects the scalars of many tensors. One probe fills it, then sends it once.

    >>> import torch
    >>> board = StatisticsBoard()
    >>> slot = board.measure(torch.tensor([3.0, 5.0, float("nan")]), Wanted())
    >>> read(slot, board.send())[1:4]
    (1, 4.0, 1.0)
    """

    def __init__(self) -> None:
        load()
        self._pieces: dict[tuple[device, dtype], list[Tensor]] = {}

    def measure(self, tensor: Tensor, wanted: Wanted) -> Slot | Numbers | None:
        """Measure, or start to; None if the tensor holds no real numbers, or nothing at all.

        Args:
            tensor: Any shape, floating point, on any device. bfloat16 and float16 are accumulated
                in float32.
            wanted: What to measure of it.
        """
        x = as_plain_tensor(tensor)
        if x is None:
            return None
        if x.is_cpu:
            found = moments_on_cpu(x)
            if found is not None:
                values = [*found]
                if wanted is not NOTHING_MORE:
                    values += map(float, _more(x, wanted))
                return Numbers(wanted, x.numel(), values)
            x = in_double(x)
        pieces = [*moments_anywhere(x)]
        if wanted != NOTHING_MORE:
            pieces += _more(not_a_number_unless_finite(x), wanted)
        return Slot(*self._put(x.device, x.dtype, pieces), wanted, x.numel())

    def add(self, scalar: Tensor) -> Slot:
        """Take one number along."""
        return Slot(*self._put(scalar.device, scalar.dtype, [scalar.detach()]), NOTHING_MORE, 1)

    def send(self) -> Sent:
        """Start the copies to the host; the board is empty afterwards."""
        import torch

        sent = {}
        for group, pieces in self._pieces.items():
            kind = group[1]
            same = [piece if piece.dtype == kind else piece.to(kind) for piece in pieces]
            sent[group] = Transfer(torch.stack(same))
        self._pieces = {}
        return Sent(sent)

    def _put(
        self, device: device, dtype: dtype, pieces: list[Any]
    ) -> tuple[tuple[device, dtype], int]:
        waiting = self._pieces.setdefault((device, dtype), [])
        start = len(waiting)
        waiting += pieces
        return (device, dtype), start


class Sent:
    """The scalars of a board on their way."""

    def __init__(self, transfers: dict[tuple[device, dtype], Transfer]) -> None:
        self._transfers = transfers
        self._values: dict[tuple[device, dtype], list[float]] = {}

    @property
    def size_bytes(self) -> int:
        return sum(transfer.size_bytes for transfer in self._transfers.values())

    def ready(self) -> bool:
        """Say whether everything has arrived. Never waits."""
        return all(transfer.ready() for transfer in self._transfers.values())

    def values(self, group: tuple[device, dtype]) -> list[float]:
        """Return all scalars of a group, waiting for them if need be."""
        found = self._values.get(group)
        if found is None:
            found = self._values[group] = self._transfers[group].wait().tolist()
        return found

    def value(self, slot: Slot) -> float:
        """Return the number that :meth:`StatisticsBoard.add` took along."""
        return self.values(slot.group)[slot.start]


def read(slot: Slot | Numbers, sent: Sent, scale: float = 1.0) -> Statistics:
    """Return what was measured, each value divided by ``scale``; waits for it if need be."""
    values = sent.values(slot.group)[slot.start :] if isinstance(slot, Slot) else slot.values
    found = _statistics(slot.wanted, slot.element_count, values)
    return found if scale == 1.0 else found.divided_by(scale)


def _divided(value: float | None, scale: float) -> float | None:
    return None if value is None else value / scale


def _more(finite: Tensor, wanted: Wanted) -> list[Tensor]:
    """Measure what is wanted besides the moments; NaN stands for what is not finite."""
    pieces = []
    if wanted.near_zero is not None:
        pieces.append(count_away_from_zero(finite, wanted.near_zero))
    if wanted.saturation is not None:
        pieces.append(count_saturated(finite, wanted.saturation))
    if wanted.extremes:
        pieces += extremes(finite)
    return pieces


def _statistics(wanted: Wanted, total: int, values: list[float]) -> Statistics:
    """Make sense of the numbers of one tensor, in the order in which they were measured."""
    mean, variance, finite_count = values[:3]
    if not finite_count:
        return Statistics(total, total, None, None, None, None)
    place = 3
    near_zero = saturation = lowest = highest = None
    if wanted.near_zero is not None:
        near_zero = (finite_count - values[place]) / total
        place += 1
    if wanted.saturation is not None:
        saturation = values[place] / total
        place += 1
    if wanted.extremes:
        lowest, highest = values[place], values[place + 1]
    summed = math.isfinite(mean)  # otherwise even the sum was too large for the device's type
    return Statistics(
        total,
        round(total - finite_count),
        mean if summed else None,
        math.sqrt(variance) if summed else math.inf,
        variance if summed else math.inf,
        math.sqrt(finite_count * (variance + mean * mean)) if summed else math.inf,
        lowest,
        highest,
        near_zero,
        saturation,
    )
