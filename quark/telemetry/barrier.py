"""The barrier around probes: a driver that misbehaves must not end a training or the sampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Told what failed and how.
OnTrouble = Callable[[str, Exception], None]


def guarded(cause: str, call: Callable[[], T], on_trouble: OnTrouble) -> T | None:
    """Return what ``call`` returns; None if it raised, which ``on_trouble`` is told."""
    try:
        return call()
    except Exception as error:
        on_trouble(cause, error)
        return None
