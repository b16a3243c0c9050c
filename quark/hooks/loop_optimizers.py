"""The optimizers that step while a model is watched, and which of its parameters they hold."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

_MAX_GROUPS = 4
#: When another optimizer of the model has stepped so often without it, the main one is over.
_PATIENCE = 20
_NUMBERS = ("lr", "momentum", "dampening", "weight_decay")


class KnownOptimizer:
    """One optimizer, looked at once and again when it gets groups."""

    __slots__ = ("_fed_by", "group_count", "held", "is_own", "reference")

    def __init__(self, optimizer: Any, parameters: set[int]) -> None:
        self.reference = weakref.ref(optimizer)
        self.group_count = len(optimizer.param_groups)
        ids = {id(one) for group in optimizer.param_groups for one in group["params"]}
        self.held = ids & parameters
        self.is_own = bool(self.held)
        self._fed_by: weakref.ref[nn.Parameter] | None = None

    def is_fed(self) -> bool:
        """Say whether any of its parameters has a gradient."""
        last = None if self._fed_by is None else self._fed_by()
        if last is not None and last.grad is not None:
            return True
        optimizer: Any = self.reference()
        groups = () if optimizer is None else optimizer.param_groups
        for group in groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._fed_by = weakref.ref(parameter)
                    return True
        return False


class OptimizersOfModel:
    """Tells a model's optimizers from others. The main one is the first to step."""

    def __init__(self) -> None:
        self._known: dict[int, KnownOptimizer] = {}
        self._parameters: set[int] = set()
        self.held: set[int] = set()  # by any that has stepped
        self.main: KnownOptimizer | None = None
        self._since_main = 0

    def follow(self, parameters: Iterable[nn.Parameter]) -> None:
        """Take these as the model's parameters from now on."""
        ids = {id(one) for one in parameters}
        if ids != self._parameters:
            self._parameters = ids
            self._known.clear()
            self.held = set()
            self.main = None

    def stepping(self, optimizer: Any) -> KnownOptimizer:
        """Return what is known of an optimizer that steps now."""
        known = self._known.get(id(optimizer))
        groups = optimizer.param_groups
        if known is None or known.reference() is not optimizer or known.group_count != len(groups):
            was_main = known is not None and known is self.main
            known = self._known[id(optimizer)] = KnownOptimizer(optimizer, self._parameters)
            self.held |= known.held
            if was_main:
                self.main = known
        if known is self.main:
            self._since_main = 0
        elif known.is_own:
            self._since_main += 1
            if self.main is None or self.main.reference() is None or self._since_main > _PATIENCE:
                self.main, self._since_main = known, 0
        return known

    def facts(self) -> list[dict[str, Any]]:
        """Return class and settings of the model's optimizers that are still there."""
        found = []
        for known in self._known.values():
            optimizer: Any = known.reference()
            if optimizer is not None and known.is_own:
                groups = [_group_facts(group) for group in optimizer.param_groups[:_MAX_GROUPS]]
                found.append({"class_name": type(optimizer).__name__, "groups": groups})
        return found


def _group_facts(group: dict[str, Any]) -> dict[str, Any]:
    """Return what a group says of itself; a number on a device is not waited for."""
    facts: dict[str, Any] = {"parameter_count": len(group["params"])}
    numbers: dict[str, Any] = {name: group.get(name) for name in _NUMBERS}
    betas = group.get("betas")
    if isinstance(betas, (tuple, list)) and betas:
        numbers["beta1"] = betas[0]
    for name, value in numbers.items():
        if getattr(value, "is_cpu", False) and value.numel() == 1:
            value = value.item()
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            facts[name] = float(value)
    if group.get("maximize"):
        facts["maximize"] = True
    return facts
