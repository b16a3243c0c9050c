"""Which group of an optimizer a parameter is in, and its learning rate there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from torch import Tensor

#: How deep wrappers of wrappers are looked into.
_MAX_WRAPPERS = 8


class OptimizerGroup(NamedTuple):
    """One group. A learning rate that is a tensor stays one: reading it may have to wait."""

    number: int
    name: str | None
    learning_rate: float | Tensor | None


def check_optimizer(optimizer: Any) -> None:
    """Refuse what has no parameter groups.

    Raises:
        SchemaValidationError: It is no optimizer, nor one in a wrapper, nor a list of them.
    """
    if optimizer is not None and next(_bare(optimizer), None) is None:
        raise SchemaValidationError(
            f"{optimizer!r} of type {type(optimizer).__name__} is no optimizer: it has no "
            "param_groups. Pass a torch optimizer, a list of them, or None."
        )


def groups_of(optimizer: Any) -> dict[int, OptimizerGroup]:
    """Return the groups as they are now, by the identity of the parameters in them.

    The groups of several optimizers are numbered through.
    """
    import torch

    found: dict[int, OptimizerGroup] = {}
    groups = (group for bare in _bare(optimizer) for group in bare.param_groups)
    for number, group in enumerate(groups):
        rate = group.get("lr")
        if not isinstance(rate, torch.Tensor):
            rate = None if rate is None else float(rate)
        elif rate.numel() != 1:
            rate = None
        name = group.get("name")
        here = OptimizerGroup(number, None if name is None else str(name), rate)
        for parameter in group["params"]:
            found.setdefault(id(parameter), here)
    return found


def _bare(optimizer: Any) -> Iterator[Any]:
    """Yield the optimizers that have groups, without what frameworks wrap around them."""
    if isinstance(optimizer, (list, tuple)):
        for item in optimizer:
            yield from _bare(item)
        return
    for _ in range(_MAX_WRAPPERS):
        if optimizer is None:
            return
        if hasattr(optimizer, "param_groups"):
            yield optimizer
            return
        optimizer = getattr(optimizer, "optimizer", None)
