"""One probed step: what the hooks saw of it, until it is sent to the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from quark.clock import SYSTEM_CLOCK
from quark.hooks.modules import Spot
from quark.hooks.statistics import Sent, Slot, Statistics, StatisticsBoard, Wanted, read

if TYPE_CHECKING:
    from torch import Tensor, dtype

_GRADIENT = Wanted()


class Sighting(NamedTuple):
    """One tensor that was measured."""

    spot: Spot
    direction: str
    call_index: int
    path: str
    shape: tuple[int, ...]
    dtype: dtype
    grad_enabled: bool
    found: Slot | Statistics


class Probe:
    """Measures tensors of one step. Hooks of several threads may fill it."""

    def __init__(self, step: int, epoch: int | None) -> None:
        self.step = step
        self.epoch = epoch
        self.time_us = SYSTEM_CLOCK.time_us()
        self.sighted: list[Sighting] = []
        self.board = StatisticsBoard()
        self.scale: Tensor | None = None  # what the gradients were multiplied by
        self.saw_float16 = False
        self.saw_backward = False
        self._calls: dict[int, int] = {}

    def call_index(self, spot: Spot) -> int:
        """Return the number of this call of the module within the step, from 0."""
        index = self._calls.get(id(spot), 0)
        self._calls[id(spot)] = index + 1
        return index

    def see(
        self, spot: Spot, tensor: Tensor, call_index: int, path: str, *, grad_enabled: bool
    ) -> None:
        """Measure an activation."""
        self._add(spot, "forward", tensor, call_index, path, spot.wanted, grad_enabled)

    def see_gradient(self, spot: Spot, gradient: Tensor, call_index: int, path: str) -> None:
        """Measure the gradient of the loss with respect to a module's output."""
        self._add(spot, "backward", gradient, call_index, path, _GRADIENT, True)

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
        found = self.board.measure(tensor, wanted)
        if found is not None:
            shape, kind = tensor.shape, tensor.dtype
            self.sighted.append(
                Sighting(spot, direction, call_index, path, shape, kind, grad_enabled, found)
            )


def rows(sighted: list[Sighting], sent: Sent, scale: Slot | None) -> Iterator[dict[str, Any]]:
    """Yield the fields of a layer summary a sighting, waiting for the device if need be."""
    grad_scale = sent.value(scale) if scale is not None else 1.0
    for sighting in sighted:
        backward = sighting.direction == "backward"
        found = read(sighting.found, sent, grad_scale if backward else 1.0)
        yield {
            "module_name": sighting.spot.module_name,
            "module_type": sighting.spot.module_type,
            "summary_type": "gradient" if backward else "activation",
            "hook_direction": sighting.direction,
            "call_index": sighting.call_index,
            "element_count": found.element_count,
            "tensor_shape": tuple(sighting.shape),
            "mean": found.mean,
            "std": found.std,
            "norm": found.norm,
            "variance": found.variance,
            "dead_unit_ratio": found.near_zero_ratio,
            "saturation_ratio": found.saturation_ratio,
            "metadata": _metadata(sighting, found, grad_scale if backward else 1.0),
        }


def _metadata(sighting: Sighting, found: Statistics, grad_scale: float) -> dict[str, Any]:
    """Return only what is out of the ordinary."""
    metadata: dict[str, Any] = {}
    dtype = str(sighting.dtype).removeprefix("torch.")
    if dtype != "float32":
        metadata["dtype"] = dtype
    if sighting.path:
        metadata["output"] = sighting.path
    if not sighting.grad_enabled:
        metadata["grad_enabled"] = False
    if found.nonfinite_count:
        metadata["nonfinite_count"] = found.nonfinite_count
    if grad_scale != 1.0:
        metadata["grad_scale"] = grad_scale
    return metadata
