"""``wandb.trigger``: functions that libraries ask to be called when something happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_registered: dict[str, list[Callable[..., Any]]] = {}


def register(event: str, func: Callable[..., Any]) -> None:
    """Have ``func`` called with what :func:`call` is given for ``event``."""
    _registered.setdefault(event, []).append(func)


def call(event_str: str, *args: Any, **kwargs: Any) -> None:
    """Call what is registered for an event, in the order of registration."""
    for function in tuple(_registered.get(event_str, ())):
        function(*args, **kwargs)


def unregister(event: str, func: Callable[..., Any]) -> None:
    """Undo one :func:`register`; nothing if there was none."""
    functions = _registered.get(event, [])
    if func in functions:
        functions.remove(func)


def reset() -> None:
    """Undo every :func:`register`."""
    _registered.clear()
