"""Metric keys that a configuration names."""

from __future__ import annotations

from typing import Any

from quark.errors import SchemaValidationError


def check_keys(name: str, keys: Any) -> None:
    """Check that ``keys``, the field ``name`` of a configuration, is a tuple of metric keys.

    Raises:
        SchemaValidationError: It is not.
    """
    if not isinstance(keys, tuple) or not all(isinstance(key, str) and key for key in keys):
        raise SchemaValidationError(
            f"{name} is {keys!r}, but must be a tuple of metric keys such as ('train/loss',)."
        )
