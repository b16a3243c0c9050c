"""What integrations call of ``wandb.util`` and ``wandb.sdk.lib.telemetry``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from quark import jsonio
from quark.compat.wandb.config_sources import read_config
from quark.compat.wandb.errors import Error, UsageError
from quark.compat.wandb.values import plain

MAX_ARTIFACT_NAME_CHARACTERS = 128


def json_dumps_safer(obj: Any, **_: Any) -> str:
    """Return ``obj`` as JSON; arrays, tensors and other objects in their plain form, NaN and the
    infinities as the strings ``NaN``, ``Infinity`` and ``-Infinity``."""
    return jsonio.dumps(plain(obj)).decode()


def json_friendly(obj: Any) -> tuple[Any, bool]:
    """Return the plain form of ``obj``, and whether it is another object."""
    found = plain(obj)
    return found, found is not obj and not (type(found) is type(obj) and found == obj)


def make_artifact_name_safe(name: str) -> str:
    """Return ``name`` as an artifact may be called: other characters are underscores, and of more
    than 128 the middle is left out.

    >>> make_artifact_name_safe("my model/v 2")
    'my_model_v_2'
    """
    safe = re.sub(r"[^a-zA-Z0-9_.\-]", "_", name)
    if len(safe) <= MAX_ARTIFACT_NAME_CHARACTERS:
        return safe
    half = (MAX_ARTIFACT_NAME_CHARACTERS - 2) // 2
    return f"{safe[:half]}..{safe[-half:]}"


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


def parse_config(
    params: Any, exclude: Sequence[str] | None = None, include: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return what ``init(config=params)`` would take: ``wandb.helper.parse_config``.

    Raises:
        UsageError: Both ``exclude`` and ``include`` are given.
        TypeError: ``params`` is no config.
    """
    if exclude and include:
        raise UsageError("Give exclude or include, not both.")
    values = {} if params is None else read_config(params)
    chosen = values.keys() & set(include) if include else values.keys() - set(exclude or ())
    return {key: value for key, value in values.items() if key in chosen}


def load_ipython_extension(shell: Any = None) -> None:
    """Accept ``%load_ext wandb``; there is no page that a ``%wandb`` could show."""


class Telemetry:
    """Takes what an integration tells W&B of itself, at any depth, and keeps nothing."""

    def __getattr__(self, name: str) -> Telemetry:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        """Accept it."""


@contextlib.contextmanager
def telemetry_context(run: Any = None, obj: Any = None) -> Iterator[Telemetry]:
    """Give something to tell; nothing comes of it."""
    yield Telemetry()
