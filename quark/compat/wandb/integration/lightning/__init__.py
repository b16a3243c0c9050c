"""``wandb.integration.lightning``."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "fabric":
        return import_module(f"{__name__}.fabric")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
