"""What one entry of :mod:`quark.compat.wandb.differences` says."""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """One difference; ``shown_by`` are the observations of the differential tests that show it."""

    name: str
    wandb: str
    here: str
    reason: str
    shown_by: tuple[str, ...] = ()
