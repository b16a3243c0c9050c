"""Lets other people's ``import wandb`` mean this shim, in this process and in those it starts."""

from __future__ import annotations

from quark.compat.wandb.alias.installing import (
    install as install,
    installed as installed,
    uninstall as uninstall,
)
