"""``wandb.integration.torch``: histograms of a model by hooks that a script sets itself.

``wandb.watch(model)`` is the usual way, and costs less.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from quark.compat import wandb

__all__ = ["TorchHistory"]


class TorchHistory:
    """Logs histograms of parameters and gradients, into the row that is open."""

    def __init__(self) -> None:
        self._hooks: dict[str, Any] = {}

    def add_log_parameters_hook(
        self, module: Any, name: str = "", prefix: str = "", log_freq: int = 0
    ) -> None:
        """Log ``parameters/<name>`` of all parameters after every ``log_freq``-th forward pass."""
        due = _every(log_freq)

        def hook(module: Any, given: Any, output: Any) -> None:
            if due():
                for own, parameter in module.named_parameters():
                    self.log_tensor_stats(parameter, f"parameters/{prefix}{name}{own}")

        self._hooks[f"parameters/{prefix}{name}"] = module.register_forward_hook(hook)

    def add_log_gradients_hook(
        self, module: Any, name: str = "", prefix: str = "", log_freq: int = 0
    ) -> None:
        """Log ``gradients/<name>`` of each parameter at every ``log_freq``-th backward pass."""
        for own, parameter in module.named_parameters():
            if parameter.requires_grad:
                key = f"gradients/{prefix}{name}{own}"
                self._hooks[key] = parameter.register_hook(self._gradient_hook(key, log_freq))

    def log_tensor_stats(self, tensor: Any, name: str) -> None:
        """Log the histogram of a tensor's finite numbers as ``name``."""
        if wandb.run is not None:
            wandb.log({name: wandb.Histogram(tensor.detach().cpu().float())}, commit=False)

    def unhook(self, name: str) -> None:
        """Take one hook away, by its key.

        Raises:
            KeyError: There is none.
        """
        self._hooks.pop(name).remove()

    def unhook_all(self) -> None:
        """Take all hooks away."""
        for name in list(self._hooks):
            self.unhook(name)

    def _gradient_hook(self, key: str, log_freq: int) -> Callable[[Any], None]:
        due = _every(log_freq)

        def hook(gradient: Any) -> None:
            if due():
                self.log_tensor_stats(gradient, key)

        return hook


def _every(log_freq: int) -> Callable[[], bool]:
    count = 0

    def due() -> bool:
        nonlocal count
        count += 1
        if count < log_freq:
            return False
        count = 0
        return True

    return due


#: W&B has this module's contents one level below too; the shim's namespaces give it.
wandb_torch = sys.modules[f"{__name__}.wandb_torch"]
