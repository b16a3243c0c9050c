"""By how much a ``GradScaler`` has multiplied the gradients of this step.

Under float16 autocast, losses are multiplied by a scale that is thousands to millions, so that
small gradients do not become 0. What a hook sees during ``backward`` is that much too large. The
scaler is not among the arguments of a :class:`~quark.hooks.engine.HookEngine`, so it is looked for
among the objects of the process, the first time that float16 is seen. Several scalers usually
have one and the same scale, and then it does not matter which it was.
"""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

#: A search walks all objects of the process, some 30 ms; so it is not repeated for ever.
_MAX_SEARCHES = 3


class ScalerFinder:
    """Finds the scalers of one model's training. ``use`` names the one, which needs no search."""

    def __init__(self) -> None:
        self._scalers: list[weakref.ref[Any]] = []
        self._searches = 0
        self.named = False

    def use(self, scaler: Any) -> None:
        """Take ``scaler`` as the one that scales the gradients."""
        self._scalers = [weakref.ref(scaler)]
        self.named = True

    def scales_now(self) -> tuple[Tensor, ...]:
        """Return copies of the scales that gradients may have been multiplied by, on their
        devices and without waiting; none if nothing scales."""
        scalers = [scaler for reference in self._scalers if (scaler := reference()) is not None]
        if not scalers and not self.named and self._searches < _MAX_SEARCHES:
            self._searches += 1
            scalers = _search()
            self._scalers = [weakref.ref(scaler) for scaler in scalers]
        # ``update`` changes a scale in place, so what is kept is a copy.
        return tuple(
            scaler._scale.detach().clone()
            for scaler in scalers
            if scaler.is_enabled() and scaler._scale is not None
        )


def is_float16_autocast() -> bool:
    """Say whether operations on a GPU or a CPU are cast to float16 just now."""
    import torch

    if not hasattr(torch, "get_autocast_dtype"):  # before torch 2.4
        return torch.is_autocast_enabled() and torch.get_autocast_gpu_dtype() is torch.float16
    return any(
        torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) is torch.float16
        for kind in ("cuda", "cpu")
    )


def _search() -> list[Any]:
    """Return the scalers of this process that have scaled something."""
    import torch

    kinds = _with_subclasses(torch.amp.GradScaler)
    kinds |= _with_subclasses(torch.cuda.amp.GradScaler)
    return [
        thing
        for thing in gc.get_referrers(*kinds)  # an object refers to its class
        if type(thing) in kinds and getattr(thing, "_scale", None) is not None
    ]


def _with_subclasses(kind: type[Any]) -> set[type[Any]]:
    return {kind}.union(*map(_with_subclasses, kind.__subclasses__()))
