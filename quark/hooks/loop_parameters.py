"""A model's parameters while its training loop is followed: counted, sampled, left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from quark.hooks.loop_modules import count_mode_modules
from quark.hooks.loop_optimizers import OptimizersOfModel

if TYPE_CHECKING:
    from torch import nn

    Named = tuple[str, nn.Parameter]

#: A parameter up to this size is sampled whole.
_MAX_SAMPLED_ELEMENTS = 16_384
_NAMED_OUTSIDE = 5


class LoopParameters:
    """Knows the parameters of a model as they were at the last :meth:`walk`.

    ``counted`` is the first that can be trained: ``on_backward`` is its hook, called once a
    backward pass. ``sampled`` is the one whose gradient is looked at.
    """

    def __init__(
        self,
        optimizers: OptimizersOfModel,
        on_backward: Callable[[Any], None],
        *,
        forget: Callable[[], None],
    ) -> None:
        self._optimizers = optimizers
        self._on_backward = on_backward
        self._forget = forget  # what was sampled, when another one is
        self._named: list[Named] = []
        self._handle: Any = None
        self.counted: nn.Parameter | None = None
        self.sampled: nn.Parameter | None = None
        self.mode_module_count = 0

    @property
    def device(self) -> str:
        """The kind of device that the model is on."""
        return "cpu" if self.counted is None else self.counted.device.type

    def walk(self, model: nn.Module | None) -> None:
        """Look at the model anew, if it is still there: at what was added, replaced, frozen."""
        if model is None:
            return
        from torch.nn.parameter import UninitializedParameter

        self._named = [
            (name.replace("_orig_mod.", ""), one)
            for name, one in model.named_parameters()
            if not isinstance(one, UninitializedParameter)
        ]
        self.mode_module_count = count_mode_modules(model)
        self._optimizers.follow(one for _, one in self._named)
        counted = self.counted
        still_there = any(one is counted for _, one in self._named)
        if counted is not None and counted.requires_grad and still_there:
            return
        self._remove_hook()
        usable = (one for _, one in self._named if one.requires_grad and one.is_leaf)
        self.counted = next(usable, None)
        if self.counted is not None:
            register: Any = self.counted.register_post_accumulate_grad_hook
            self._handle = register(self._on_backward)

    def choose_sampled(self) -> nn.Parameter | None:
        """Return the parameter to sample: the last small one that the main optimizer holds, since
        the last layers nearly always take part."""
        main = self._optimizers.main
        held = None if main is None else main.held
        sampled = self.sampled
        if sampled is None or not sampled.requires_grad or (held and id(sampled) not in held):
            usable = [
                one
                for _, one in self._named
                if one.requires_grad and one.is_leaf and (held is None or id(one) in held)
            ]
            small = [one for one in usable if one.numel() <= _MAX_SAMPLED_ELEMENTS]
            self.sampled = small[-1] if small else None
            self._forget()
        return self.sampled

    def outside_optimizers(self) -> tuple[dict[str, int], list[Named]]:
        """Return the counts of trainable parameters, and some of those that have a gradient but
        are in no optimizer that has stepped."""
        trainable = [one for _, one in self._named if one.requires_grad]
        held = self._optimizers.held
        outside = [
            (name, one)
            for name, one in self._named
            if one.requires_grad and one.grad is not None and id(one) not in held
        ]
        counts = {
            "trainable_parameter_count": len(trainable),
            "trainable_element_count": sum(one.numel() for one in trainable),
            "outside_parameter_count": len(outside),
            "outside_element_count": sum(one.numel() for _, one in outside),
        }
        return counts, outside[:_NAMED_OUTSIDE]

    def clear(self) -> None:
        """Let go of the model."""
        self._remove_hook()
        self._named, self.counted, self.sampled = [], None, None

    def _remove_hook(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.remove()
