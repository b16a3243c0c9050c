"""What integrations call of ``wandb.util``."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from quark import jsonio
from quark.compat.wandb.errors import Error
from quark.compat.wandb.values import plain


def json_dumps_safer(obj: Any, **_: Any) -> str:
    """Return ``obj`` as JSON; arrays, tensors and other objects in their plain form, NaN and the
    infinities as the strings ``NaN``, ``Infinity`` and ``-Infinity``."""
    return jsonio.dumps(plain(obj)).decode()


def get_module(
    name: str, required: str | bool | None = None, lazy: bool = True
) -> ModuleType | None:
    """Return a module, or None if it is not installed.

    Raises:
        Error: It is not installed and ``required``, which may be the message.
    """
    try:
        return import_module(name)
    except ImportError as error:
        if not required:
            return None
        message = required if isinstance(required, str) else f"{name} is needed and not installed."
        raise Error(message) from error
