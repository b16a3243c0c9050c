"""Logged tensors that are on a device: copied without waiting, and put into their row later.

``log`` must not wait for a GPU. So a row is kept at once without them, and a second part of the
same row follows from the background as soon as their copies have arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb.values import plain, put
from quark.pipeline.deferred import Deferred

if TYPE_CHECKING:
    from quark.hooks.transfer import Transfer

_MAX_DEPTH = 50

#: The way to a value through nested dicts.
Way = tuple[str, ...]

#: Takes what has arrived: the values as nested dicts, their row, and when they were logged.
Take = Callable[[dict[str, Any], int, int], None]


def on_device(value: Any) -> bool:
    """Say whether a value is a tensor whose numbers are not on the host."""
    return hasattr(type(value), "is_cpu") and value.is_cpu is False


def split(values: Mapping[str, Any], way: Way = ()) -> tuple[dict[str, Any], dict[Way, Any]]:
    """Return the plain form of ``values`` without the tensors that are on a device, and these."""
    rest: dict[str, Any] = {}
    tensors: dict[Way, Any] = {}
    for key, value in values.items():
        name = key if isinstance(key, str) else str(plain(key))
        if on_device(value):
            tensors[(*way, name)] = value
        elif type(value) is dict and value and "_type" not in value and len(way) < _MAX_DEPTH:
            inner, found = split(value, (*way, name))
            tensors.update(found)
            if inner:
                rest[name] = inner
        else:
            rest[name] = plain(value)
    return rest, tensors


class AwaitedRow(Deferred):
    """A part of a history row that is on its way from a device."""

    what = "history row"

    def __init__(self, row: int, tensors: Mapping[Way, Any], take: Take) -> None:
        from quark.hooks.transfer import Transfer  # torch is there: somebody made the tensors

        self._row = row
        self._take = take
        self._time_us = SYSTEM_CLOCK.time_us()
        self._transfers: dict[Way, Transfer] = {
            way: Transfer(tensor.detach(), keep=True) for way, tensor in tensors.items()
        }
        super().__init__(sum(transfer.size_bytes for transfer in self._transfers.values()))

    def ready(self) -> bool:
        return all(transfer.ready() for transfer in self._transfers.values())

    def _journal(self) -> None:
        nested: dict[str, Any] = {}
        for way, transfer in self._transfers.items():
            put(way, plain(transfer.wait()), nested)
        self._take(nested, self._row, self._time_us)
