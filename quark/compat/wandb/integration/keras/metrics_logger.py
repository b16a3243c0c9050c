"""``WandbMetricsLogger``: losses, metrics and the learning rate of a Keras training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quark.compat import wandb
from quark.compat.wandb.integration.keras.numbers import learning_rate
from quark.compat.wandb.integration.open_run import open_run
from quark.compat.wandb.integration.requirement import library

_Base: Any = library("keras.callbacks", integration="keras").Callback


class WandbMetricsLogger(_Base):  # type: ignore[misc]
    """Logs what Keras counts, under ``epoch/`` after every epoch and ``batch/`` after batches.

    ``epoch/epoch`` and ``batch/batch_step`` count from 0 and are the step metrics of the others.

    Args:
        log_freq: ``"epoch"``; ``"batch"`` for every batch too; or a number: every so many batches.
        initial_global_step: The number of batches of an earlier training that is gone on with, for
            the schedule of the learning rate.

    Raises:
        Error: No run is open.
    """

    def __init__(
        self,
        log_freq: str | int = "epoch",
        initial_global_step: int = 0,
        *args: Any,
        **keywords: Any,
    ) -> None:
        super().__init__(*args, **keywords)
        open_run("WandbMetricsLogger()")
        if log_freq == "batch":
            log_freq = 1
        self.logging_batch_wise = isinstance(log_freq, int)
        self.log_freq = log_freq if isinstance(log_freq, int) else None
        self.global_batch = 0
        self.global_step = initial_global_step
        counter, kind = ("batch_step", "batch") if self.logging_batch_wise else ("epoch", "epoch")
        wandb.define_metric(f"{kind}/{counter}")
        wandb.define_metric(f"{kind}/*", step_metric=f"{kind}/{counter}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the epoch's row."""
        self._log("epoch", {"epoch": epoch}, logs)

    def on_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log a batch's row, if it is due."""
        self.global_step += 1
        if self.log_freq is not None and batch % self.log_freq == 0:
            self._log("batch", {"batch_step": self.global_batch}, logs)
            self.global_batch += self.log_freq

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log a batch's row, if it is due."""
        self.on_batch_end(batch, logs)

    def _log(self, kind: str, counter: Mapping[str, int], logs: Mapping[str, Any] | None) -> None:
        row = {**(logs or {}), **counter}
        rate = learning_rate(self.model, self.global_step)
        if rate is not None:
            row["learning_rate"] = rate
        wandb.log({f"{kind}/{name}": value for name, value in row.items()})
