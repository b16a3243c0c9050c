"""``wandb.fastai``: where old scripts look for the callback that fastai now has itself."""

from __future__ import annotations

from typing import Any

from quark.compat.wandb.integration.requirement import library

#: fastai's own callback, which logs through ``import wandb``.
WandbCallback: Any = library("fastai.callback.wandb", integration="fastai").WandbCallback

__all__ = ["WandbCallback"]
