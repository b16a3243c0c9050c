"""What optimizer steps did to parameters, measured against copies of them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from quark import ui

if TYPE_CHECKING:
    from torch import Tensor, nn


class Norm:
    """An L2 norm that is known once the background has read it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float | None = None


class Followed(NamedTuple):
    """A parameter as it is now: its name, itself, what of it can be measured, and its norm."""

    name: str
    parameter: nn.Parameter
    value: Tensor
    norm: Norm


@dataclass(slots=True)
class _Copy:
    parameter: weakref.ref[nn.Parameter]
    value: Tensor
    norm: Norm

    def is_of(self, now: Followed) -> bool:
        """Say whether this was copied from the same parameter, and still fits it."""
        copied, value = self.value, now.value
        return (
            self.parameter() is now.parameter
            and copied.shape == value.shape
            and copied.dtype == value.dtype
            and copied.device == value.device
        )


class UpdateTracker:
    """Keeps a copy of each trainable parameter, in its type and on its device.

    The copies take as much memory as the parameters, up to ``max_bytes``, and nothing more: the
    difference is taken in the copy itself, which is then filled anew.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._copies: dict[str, _Copy] = {}
        self._spent = False  # the copies hold differences, or nobody knows what

    @property
    def tracked_bytes(self) -> int:
        """How much memory the copies take."""
        return sum(_bytes(copy.value) for copy in self._copies.values())

    def differences(self, now: Sequence[Followed]) -> dict[str, tuple[Tensor, Norm]]:
        """Return, by name, the values at the last :meth:`keep` minus those of now, and the norm of
        the former. They hold until :meth:`keep`, which must follow."""
        import torch

        if self._spent:
            self._copies = {}
        pairs = [
            (item, copy)
            for item in now
            if (copy := self._copies.get(item.name)) is not None and copy.is_of(item)
        ]
        self._spent = True
        if pairs:
            torch._foreach_sub_(
                [copy.value for _, copy in pairs], [item.value for item, _ in pairs]
            )
        return {item.name: (copy.value, copy.norm) for item, copy in pairs}

    def keep(self, now: Sequence[Followed]) -> None:
        """Copy the values of now, of as many parameters as fit, in their order."""
        before, self._copies = self._copies, {}
        chosen, free_bytes = [], self._max_bytes
        for item in now:
            if _bytes(item.value) <= free_bytes:
                free_bytes -= _bytes(item.value)
                chosen.append((item, before.pop(item.name, None)))
        before.clear()  # so that what is made now comes instead, not on top
        again: list[tuple[Tensor, Tensor]] = []
        while chosen:
            item, copy = chosen.pop(0)
            if copy is not None and copy.is_of(item):
                copy.norm = item.norm
                again.append((copy.value, item.value))
            else:
                copy = None
                copy = _Copy(weakref.ref(item.parameter), item.value.clone(), item.norm)
            self._copies[item.name] = copy
        _copy_all(again)
        self._spent = False
        left_out = len(now) - len(self._copies)
        if left_out and self._max_bytes:
            self._say(left_out, len(now))

    def clear(self) -> None:
        """Let go of all copies."""
        self._copies = {}

    def _say(self, left_out: int, total: int) -> None:
        ui.warn_once(
            "parameter-updates-do-not-fit",
            f"{left_out} of {total} parameters have no update statistics: copies of all of them "
            f"take more than max_update_bytes, {self._max_bytes:,}. Raise it, or choose fewer "
            "parameters in ParameterDiagnosticsConfig.",
        )


def _copy_all(pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
    import torch

    together = getattr(torch, "_foreach_copy_", None)  # not before torch 2.1
    if together is not None and pairs:
        together([into for into, _ in pairs], [value for _, value in pairs])
        return
    for into, value in pairs:
        into.copy_(value)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
