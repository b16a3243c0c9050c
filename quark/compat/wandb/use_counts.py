"""Counts what was used that is not quite W&B's. :mod:`quark.compat.wandb.used` reports it."""

from __future__ import annotations

#: By state and name: what there is to say of it, and how often it was used.
COUNTS: dict[tuple[str, str], tuple[str, int]] = {}


def count(state: str, name: str, note: str = "") -> None:
    """Count one use."""
    COUNTS[state, name] = (note, COUNTS.get((state, name), ("", 0))[1] + 1)


def warned(key: str, message: str) -> None:
    """Count something that was done otherwise than W&B would have done it."""
    count("warned", key, message)


def refused(symbol: str) -> None:
    """Count a symbol that was asked for and is not supported."""
    count("refused", symbol)
