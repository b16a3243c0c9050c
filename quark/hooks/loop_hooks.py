"""Hooks on a model and on optimizers that tell a follower of calls.

None is found in a pickle or a deep copy of the model: a copied hook turns into a function that does
nothing, also where Quark is not installed. A follower that is gone is not told.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

Report = Callable[[Exception], None]


class Hook:
    """Calls a method of a follower. What that raises goes to ``report``, not into the training."""

    __slots__ = ("__weakref__", "_follower", "_is_compiling", "_method", "_report")

    def __init__(self, method: Callable[..., None], report: Report) -> None:
        import torch

        self._is_compiling = torch.compiler.is_compiling
        self._follower = weakref.ref(method.__self__)  # type: ignore[attr-defined]
        self._method = method.__func__  # type: ignore[attr-defined]
        self._report = report

    def __call__(self, *arguments: Any) -> None:
        if self._is_compiling():
            return  # compiled code counts nothing
        follower = self._follower()
        if follower is not None:
            try:
                self._method(follower, *arguments)
            except Exception as error:
                self._report(error)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # ``nullcontext().__exit__`` takes anything and gives None.
        return getattr, (contextlib.nullcontext(), "__exit__")


def quietly(work: Callable[..., None], report: Report) -> Callable[..., None]:
    """Return what does ``work`` and raises nothing: a hook that lasts for one step."""

    def done(*arguments: Any) -> None:
        try:
            work(*arguments)
        except Exception as error:
            report(error)

    return done


def attach_to_optimizers(before: Hook, after: Hook) -> Callable[[], None]:
    """Have every optimizer's step reported, before and after; return what ends that."""
    from torch.optim import optimizer

    add_before = getattr(optimizer, "register_optimizer_step_pre_hook", None)
    add_after = getattr(optimizer, "register_optimizer_step_post_hook", None)
    if add_before is None or add_after is None:  # before torch 2.1
        return lambda: None
    handles = [add_before(before), add_after(after)]

    def detach() -> None:
        for handle in handles:
            handle.remove()

    return detach
