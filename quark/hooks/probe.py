"""One probed step: what the hooks saw of it, until it is sent to the host."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from quark.clock import SYSTEM_CLOCK
from quark.hooks.modules import Spot
from quark.hooks.statistics import (
    NOTHING_MORE,
    Numbers,
    Sent,
    Slot,
    Statistics,
    StatisticsBoard,
    Wanted,
    read,
)

if TYPE_CHECKING:
    from torch import Tensor, dtype
    from torch.utils.hooks import RemovableHandle


_now = SYSTEM_CLOCK.monotonic


class Sighting(NamedTuple):
    """One tensor that was measured."""

    spot: Spot
    direction: str
    call_index: int
    path: str
    shape: tuple[int, ...] | None
    dtype: dtype
    grad_enabled: bool
    found: Slot | Numbers


class Seen(NamedTuple):
    """What one probe has seen since it was last asked."""

    sighted: list[tuple[Any, ...]]
    sent: Sent
    scales: list[Slot]
    recomputed: frozenset[tuple[int, int]]


class Probe:
    """Measures tensors of one step. Hooks of several threads may fill it."""

    def __init__(self, step: int, epoch: int | None) -> None:
        self.step = step
        self.epoch = epoch
        self.time_us = SYSTEM_CLOCK.time_us()
        self.scales: tuple[Tensor, ...] = ()  # one of them multiplied the gradients
        self.saw_forward = False
        self.saw_float16 = False
        self.saw_backward = False
        self.over = False
        self.spent_seconds = 0.0  # in measuring, on the threads of the training
        self._lock = threading.RLock()
        self._sighted: list[tuple[Any, ...]] = []  # what a Sighting is made of, later
        self._board = StatisticsBoard()
        self._calls: dict[int, int] = {}
        self._without_graph: dict[int, list[int]] = {}
        self._recomputed: set[tuple[int, int]] = set()
        self._leaf_hooks: list[RemovableHandle] = []

    def call_index(self, spot: Spot, *, grad_enabled: bool) -> int:
        """Return the number of this call of the module within the step, from 0."""
        with self._lock:
            index = self._calls.get(id(spot), 0)
            self._calls[id(spot)] = index + 1
            if not grad_enabled:
                self._without_graph.setdefault(id(spot), []).append(index)
            return index

    def recomputed_index(self, spot: Spot) -> int | None:
        """Return which call is computed once more during the backward pass, this time for its
        graph; None if it had one the first time. Parts are recomputed from the last one on."""
        with self._lock:
            indices = self._without_graph.get(id(spot))
            if not indices:
                return None
            self._recomputed.add((id(spot), indices[-1]))
            return indices.pop()

    def keep(self, handle: RemovableHandle) -> None:
        """Remember a hook on a tensor that outlives the step, a parameter or an input."""
        self._leaf_hooks.append(handle)

    def end(self) -> None:
        """Measure nothing more, whatever becomes of the graph."""
        self.over = True
        while self._leaf_hooks:
            self._leaf_hooks.pop().remove()

    def send(self) -> Seen | None:
        """Start the copy of what was measured since the last time; None if there is nothing."""
        with self._lock:
            if not self._sighted:
                return None
            sighted, self._sighted = self._sighted, []
            scales = [self._board.add(scale) for scale in self.scales]
            return Seen(sighted, self._board.send(), scales, frozenset(self._recomputed))

    def see(
        self, spot: Spot, tensor: Tensor, call_index: int, path: str, *, grad_enabled: bool
    ) -> None:
        """Measure an activation."""
        self._add(spot, "forward", tensor, call_index, path, spot.wanted, grad_enabled)

    def see_gradient(self, spot: Spot, gradient: Tensor, call_index: int, path: str) -> None:
        """Measure the gradient of the loss with respect to a module's output."""
        self._add(spot, "backward", gradient, call_index, path, NOTHING_MORE, True)

    def _add(
        self,
        spot: Spot,
        direction: str,
        tensor: Tensor,
        call_index: int,
        path: str,
        wanted: Wanted,
        grad_enabled: bool,
    ) -> None:
        with self._lock:
            start = _now()
            found = self._board.measure(tensor, wanted)
            if found is not None:
                # Nested tensors have no shape that could be written down.
                shape, kind = None if tensor.is_nested else tensor.shape, tensor.dtype
                self._sighted.append(
                    (spot, direction, call_index, path, shape, kind, grad_enabled, found)
                )
            self.spent_seconds += _now() - start


def rows(seen: Seen) -> Iterator[dict[str, Any]]:
    """Yield the fields of a layer summary a sighting, waiting for the device if need be."""
    scales = sorted({seen.sent.value(scale) for scale in seen.scales})
    grad_scale = scales[0] if len(scales) == 1 else 1.0
    for entry in seen.sighted:
        sighting = Sighting(*entry)
        backward = sighting.direction == "backward"
        found = read(sighting.found, seen.sent, grad_scale if backward else 1.0)
        linked = sighting.grad_enabled or (
            (id(sighting.spot), sighting.call_index) in seen.recomputed
        )
        row = {
            "module_name": sighting.spot.module_name,
            "module_type": sighting.spot.module_type,
            "summary_type": "gradient" if backward else "activation",
            "hook_direction": sighting.direction,
            "call_index": sighting.call_index,
            "element_count": found.element_count,
            "tensor_shape": None if sighting.shape is None else tuple(sighting.shape),
            "mean": found.mean,
            "std": found.std,
            "norm": found.norm,
            "variance": found.variance,
            "metadata": _metadata(sighting, found, linked, scales if backward else []),
        }
        if not backward:
            row["dead_unit_ratio"] = found.near_zero_ratio
            row["saturation_ratio"] = found.saturation_ratio
        yield row


def _metadata(
    sighting: Sighting, found: Statistics, linked: bool, scales: list[float]
) -> dict[str, Any]:
    """Return only what is out of the ordinary.

    ``grad_scale``: a gradient was divided by this, which it had been multiplied by.
    ``grad_scales``: it was multiplied by one of these, and is as it was found.
    """
    metadata: dict[str, Any] = {}
    dtype = str(sighting.dtype).removeprefix("torch.")
    if dtype != "float32":
        metadata["dtype"] = dtype
    if sighting.path:
        metadata["output"] = sighting.path
    if not linked:
        metadata["grad_enabled"] = False
    if found.nonfinite_count:
        metadata["nonfinite_count"] = found.nonfinite_count
    if len(scales) > 1:
        metadata["grad_scales"] = scales
    elif scales and scales[0] != 1.0:
        metadata["grad_scale"] = scales[0]
    return metadata
