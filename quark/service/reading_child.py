"""A process that reads points for a service; started with ``python -m``."""

from __future__ import annotations

from typing import Any

from quark.service.child_process import be_child
from quark.service.config import MIB
from quark.service.reading import PointsAsked, read_points
from quark.service.stores import StoreKey, Stores
from quark.storage.model import StepRange

_NICENESS = 0
_MEMORY_BYTES = 4096 * MIB


def answer(stores: Stores, told: list[Any]) -> bytes:
    """Read what is told."""
    workspace, storage_dir, asked = told
    steps = StepRange(**asked.pop("steps"))
    store = stores.get(StoreKey(workspace, storage_dir))
    return read_points(store, PointsAsked(steps=steps, **asked))


if __name__ == "__main__":
    be_child(answer, niceness=_NICENESS, memory_bytes=_MEMORY_BYTES)
