"""``wandb.integration.sb3``: the callback for Stable-Baselines3.

What the library writes for TensorBoard is logged by ``wandb.init(sync_tensorboard=True)``; the
callback adds hyperparameters, gradients and checkpoints.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from quark.compat import wandb
from quark.compat.wandb.integration.open_run import open_run
from quark.compat.wandb.integration.requirement import library

LOGS = ("gradients", "parameters", "all", None)

_Base: Any = library(
    "stable_baselines3.common.callbacks", integration="sb3", install="stable-baselines3"
).BaseCallback


class WandbCallback(_Base):  # type: ignore[misc]
    """Keeps a model's hyperparameters, and if asked for its gradients and checkpoints.

    Args:
        verbose: 2 to hear of each checkpoint.
        model_save_path: The folder for ``model.zip``, which is saved into the run too; None for no
            checkpoints.
        model_save_freq: Every how many steps to save; 0 to save only at the end.
        gradient_save_freq: Every how many passes to keep what ``log`` says; 0 for never.
        log: ``"gradients"``, ``"parameters"``, ``"all"``, or None.

    Raises:
        Error: No run is open.
        ValueError: ``model_save_freq`` is given without ``model_save_path``.
    """

    def __init__(
        self,
        verbose: int = 0,
        model_save_path: str | None = None,
        model_save_freq: int = 0,
        gradient_save_freq: int = 0,
        log: str | None = "all",
    ) -> None:
        super().__init__(verbose)
        open_run("WandbCallback()")
        if log not in LOGS:
            wandb.termwarn(
                f"log is {log!r}, but must be 'gradients', 'parameters', 'all' or None. "
                "'all' is taken."
            )
            log = "all"
        self.model_save_freq = model_save_freq
        self.model_save_path = model_save_path
        self.gradient_save_freq = gradient_save_freq
        self.log = log
        if model_save_path is not None:
            os.makedirs(model_save_path, exist_ok=True)
            self.path = os.path.join(model_save_path, "model.zip")
        elif model_save_freq:
            raise MissingPathError(
                f"model_save_freq is {model_save_freq}, but there is no model_save_path to save to."
            )

    def _init_callback(self) -> None:
        found: dict[str, Any] = {"algo": type(self.model).__name__}
        for name, value in vars(self.model).items():
            if name not in wandb.config:
                found[name] = value if type(value) in (float, int, str) else str(value)
        if self.gradient_save_freq > 0:
            wandb.watch(self.model.policy, log_freq=self.gradient_save_freq, log=self.log)
        wandb.config.setdefaults(found)

    def _on_step(self) -> bool:
        if self.model_save_freq > 0 and self.n_calls % self.model_save_freq == 0:
            self.save_model()
        return True

    def _on_training_end(self) -> None:
        if self.model_save_path is not None:
            self.save_model()

    def save_model(self) -> None:
        """Write the checkpoint and put it into the run."""
        self.model.save(self.path)
        wandb.save(self.path, base_path=self.model_save_path)
        if self.verbose > 1:
            wandb.termlog(f"saved a checkpoint of the model to {self.path}")


class MissingPathError(ValueError, AssertionError):
    """There is nowhere to save a model to. W&B raises an ``AssertionError``."""


#: W&B has this module's contents one level below too; the shim's namespaces give it.
sb3 = sys.modules[f"{__name__}.sb3"]
