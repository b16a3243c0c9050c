"""Logged tensors that are on a device: copied without waiting, and put into their row later.

``log`` must not wait for a GPU. So a row is kept at once without them, and a second part of the
same row follows from the background as soon as their copies have arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb.logged_media import Storable, Take, Way, is_never_media, media_of
from quark.compat.wandb.values import SCALARS, copied, plain, put
from quark.pipeline.deferred import Deferred

if TYPE_CHECKING:
    from quark.hooks.transfer import Transfer

_MAX_DEPTH = 50
_MAX_TYPES = 4096

#: Classes whose values are neither media nor on a device, such as numpy's numbers.
_plain_types: set[type] = set()


def on_device(value: Any) -> bool:
    """Say whether a value is a tensor whose numbers are not on the host."""
    return hasattr(type(value), "is_cpu") and value.is_cpu is False


class Parts(NamedTuple):
    """A row that was taken apart: what is plain already, tensors on a device, and media."""

    plain: dict[str, Any]
    tensors: dict[Way, Any]
    media: dict[Way, Storable]

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways to what comes later."""
        return (*self.tensors, *self.media)

    def shape(self) -> dict[str, Any]:
        """Return the row with something in the place of what comes later."""
        whole: dict[str, Any] = copied(self.plain)
        for way in self.ways:
            put(way, True, whole)
        return whole


def split(values: Mapping[str, Any]) -> Parts:
    """Take a row apart. What is mutable in it is taken as it is now."""
    parts = Parts({}, {}, {})
    _split_into(parts, parts.plain, values, ())
    return parts


def _split_into(parts: Parts, rest: dict[str, Any], values: Mapping[str, Any], way: Way) -> None:
    for key, value in values.items():
        name = key if isinstance(key, str) else str(plain(key))
        kind = type(value)
        if kind in SCALARS:
            rest[name] = value
        elif kind in _plain_types:
            rest[name] = plain(value)
        elif on_device(value):
            parts.tensors[(*way, name)] = value
        elif kind is dict and value and "_type" not in value and len(way) < _MAX_DEPTH:
            inner: dict[str, Any] = {}
            _split_into(parts, inner, value, (*way, name))
            if inner:
                rest[name] = inner
        elif (media := media_of(value)) is not None:
            parts.media[(*way, name)] = media
        else:
            is_plain = is_never_media(kind) and kind is not dict and not hasattr(kind, "is_cpu")
            if is_plain and len(_plain_types) < _MAX_TYPES:
                _plain_types.add(kind)
            rest[name] = plain(value)


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
