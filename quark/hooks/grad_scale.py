"""By how much a ``GradScaler`` has multiplied the gradients of this step.

Under float16 autocast, losses are multiplied by a scale that is thousands to millions, so that
small gradients do not become 0. What a hook sees during ``backward`` is that much too large. The
scaler is not among the arguments of a :class:`~quark.hooks.engine.HookEngine`, so it is looked for
once, among the objects of the process, the first time that float16 is seen.
"""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

#: A search walks all objects of the process, some 50 ms; so it is not repeated for ever.
_MAX_SEARCHES = 3


class ScalerFinder:
    """Finds the scaler of one model's training. ``use`` names it, which needs no search."""

    def __init__(self, optimizer: Any = None) -> None:
        self._optimizer = optimizer
        self._scaler: weakref.ref[Any] | None = None
        self._searches = 0

    def use(self, scaler: Any) -> None:
        """Take ``scaler`` as the one that scales the gradients."""
        self._scaler = weakref.ref(scaler)
        self._searches = _MAX_SEARCHES

    def scale_now(self) -> Tensor | None:
        """Return a copy of the scale on its device, without waiting; None if nothing scales."""
        scaler = self._find()
        scale = getattr(scaler, "_scale", None) if scaler is not None else None
        if scale is None or not scaler.is_enabled():
            return None
        copied: Tensor = scale.detach().clone()  # ``update`` changes the scale in place
        return copied

    def _find(self) -> Any:
        found = self._scaler() if self._scaler is not None else None
        if found is None and self._searches < _MAX_SEARCHES:
            self._searches += 1
            found = self._search()
            self._scaler = weakref.ref(found) if found is not None else None
        return found

    def _search(self) -> Any:
        """Return the one scaler that is in use, or of several the one that has seen the
        optimizer; None if that leaves a choice."""
        import torch

        kinds = tuple({torch.amp.GradScaler, torch.cuda.amp.GradScaler})
        scalers = [
            thing
            for thing in gc.get_objects()
            if issubclass(type(thing), kinds) and getattr(thing, "_scale", None) is not None
        ]
        if len(scalers) > 1 and self._optimizer is not None:
            key = id(self._optimizer)
            scalers = [one for one in scalers if key in one._per_optimizer_states] or scalers
        return scalers[0] if len(scalers) == 1 else None
