"""The arguments of ``log``: made what they have to be, or refused with a reason."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any


def with_texts(data: Mapping[Any, Any]) -> dict[str, Any]:
    """Return values by keys that are plain texts.

    Raises:
        TypeError: A key is no text.
    """
    return {key if type(key) is str else _key(key): value for key, value in data.items()}


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    raise TypeError(f"log() takes strings as keys, not {key!r} of type {type(key).__name__}.")


def step_number(step: Any) -> int:
    """Return a step as an integer.

    Raises:
        TypeError: It is none.
    """
    if isinstance(step, bool):
        raise TypeError(f"step={step!r} is a boolean; log() takes an integer.")
    return operator.index(step)


def refusal(data: Mapping[Any, Any], step: int | None) -> Exception:
    """Return what to raise for a row that the journal refused."""
    for key in data:
        if not isinstance(key, str):
            return TypeError(
                f"log() takes strings as keys, not {key!r} of type {type(key).__name__}."
            )
    return ValueError(f"step={step!r} does not fit into 64 bits; count from a lower number.")
