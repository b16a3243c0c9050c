"""``WandbModelCheckpoint``: what Keras saves, as versions of an artifact."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from typing import Any

from quark.compat import wandb
from quark.compat.wandb.integration.open_run import open_run
from quark.compat.wandb.integration.requirement import library

_Base: Any = library("keras.callbacks", integration="keras").ModelCheckpoint


class WandbModelCheckpoint(_Base):  # type: ignore[misc]
    """Keras' ``ModelCheckpoint`` whose files are logged as the artifact ``run_<id>_model``.

    A version has the aliases ``latest`` and ``epoch_<n>``, or ``epoch_<n>_batch_<m>`` where it is
    saved every so many batches; both count from 0. The arguments are those of ``ModelCheckpoint``.

    Raises:
        Error: No run is open.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(
            filepath,
            monitor=monitor,
            verbose=verbose,
            save_best_only=save_best_only,
            save_weights_only=save_weights_only,
            mode=mode,
            save_freq=save_freq,
            initial_value_threshold=initial_value_threshold,
            **keywords,
        )
        open_run("WandbModelCheckpoint()")
        self._latest_path: str | None = None
        if save_best_only and not _has_placeholder(self.filepath):
            wandb.termwarn(
                f"filepath {self.filepath!r} has no placeholder such as {{epoch:02d}}, so with "
                "save_best_only every epoch's version is the best file so far.",
                repeat=False,
            )

    def _get_file_path(self, epoch: int, batch: int | None, logs: Mapping[str, Any] | None) -> str:
        self._latest_path = str(super()._get_file_path(epoch, batch, logs or {}))
        return self._latest_path

    def _save_model(self, epoch: int, batch: int | None, logs: Mapping[str, Any] | None) -> None:
        super()._save_model(epoch, batch, logs)
        path = self._latest_path
        if path is None or not os.path.exists(path):
            return  # no better than before
        artifact = wandb.Artifact(f"run_{open_run('WandbModelCheckpoint').id}_model", type="model")
        if os.path.isdir(path):
            artifact.add_dir(path)
        else:
            artifact.add_file(path)
        moment = f"epoch_{epoch}" if batch is None else f"epoch_{epoch}_batch_{batch}"
        wandb.log_artifact(artifact, aliases=["latest", moment])


def _has_placeholder(path: str) -> bool:
    return any(name is not None for _, name, _, _ in string.Formatter().parse(path))
