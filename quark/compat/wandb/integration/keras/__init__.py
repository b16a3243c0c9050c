"""``wandb.keras`` and ``wandb.integration.keras``: callbacks for Keras 3 on any of its backends."""

from __future__ import annotations

import sys

from quark.compat.wandb.integration.keras.eval_callback import WandbEvalCallback
from quark.compat.wandb.integration.keras.metrics_logger import WandbMetricsLogger
from quark.compat.wandb.integration.keras.model_checkpoint import WandbModelCheckpoint
from quark.compat.wandb.integration.keras.old_callback import WandbCallback

__all__ = ["WandbCallback", "WandbEvalCallback", "WandbMetricsLogger", "WandbModelCheckpoint"]

#: W&B has this module's contents one level below too; the shim's namespaces give it.
callbacks = sys.modules[f"{__name__}.callbacks"]
