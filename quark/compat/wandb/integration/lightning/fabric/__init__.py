"""``wandb.integration.lightning.fabric``: the logger for Lightning Fabric."""

from __future__ import annotations

from quark.compat.wandb.integration.lightning.fabric.logger import WandbLogger

__all__ = ["WandbLogger"]
