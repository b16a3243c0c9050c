"""Which forward and backward passes of a watched model are due, and what tells of them.

W&B counts the forward passes of the watched module, for parameters, and the backward passes, for
gradients; every ``log_freq``-th is due. So does this, with one hook each. Neither is found in a
pickle or a deep copy of the model: the forward one turns into a function that does nothing, the
backward one belongs to a parameter's memory, which no copy takes along.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn


class Follower(Protocol):
    """Is told of passes."""

    def on_forward(self) -> None:
        """The watched module's forward pass begins."""
        ...

    def on_backward(self) -> None:
        """A backward pass has come to one of the parameters."""
        ...


class ForwardHook:
    """Tells ``follower`` of each call of the module that it is a hook of."""

    def __init__(self, follower: Follower) -> None:
        self._follower = weakref.ref(follower)

    def __call__(self, module: nn.Module, arguments: Any) -> None:
        import torch

        if torch.compiler.is_compiling():
            return  # compiled code counts nothing; the backward passes do
        follower = self._follower()
        if follower is not None:
            follower.on_forward()

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # ``{}.get(module, arguments)`` gives the arguments back, so a copied model runs as before,
        # also where Quark is not installed.
        return getattr, ({}, "get")


def attach(model: nn.Module, follower: Follower, *, forward: bool) -> Callable[[], None]:
    """Have ``follower`` told of the passes of ``model``; return what ends that."""
    handles = []
    if forward:
        handles.append(model.register_forward_pre_hook(ForwardHook(follower)))
    counted = next((one for one in model.parameters() if one.requires_grad and one.is_leaf), None)
    if counted is not None:
        known = weakref.ref(follower)

        def on_gradient(parameter: Any) -> None:
            found = known()
            if found is not None:
                found.on_backward()

        register: Any = counted.register_post_accumulate_grad_hook
        handles.append(register(on_gradient))

    def detach() -> None:
        for handle in handles:
            handle.remove()

    return detach


def after_this_backward(work: Callable[[], None]) -> None:
    """Call ``work`` when the backward pass that is under way is over, and so are those who wait
    for its end already (``DistributedDataParallel`` averages gradients then)."""
    from torch.autograd import Variable

    engine = Variable._execution_engine
    engine.queue_callback(lambda: engine.queue_callback(work))
