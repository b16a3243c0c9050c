"""``WandbEvalCallback``: a model's predictions as tables, one version an epoch."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from quark.compat import wandb
from quark.compat.wandb.integration.open_run import open_run
from quark.compat.wandb.integration.requirement import library

_Base: Any = library("keras.callbacks", integration="keras").Callback


class WandbEvalCallback(_Base, abc.ABC):  # type: ignore[misc]
    """To be derived from: says what the truth is, and after each epoch what the model predicts.

    The truth goes into the artifact ``val``, table ``val_data``, and is there to refer to as
    ``data_table_ref``; predictions go into ``run_<id>_pred``, table ``eval_data``.

    Args:
        data_table_columns: The columns of the truth.
        pred_table_columns: The columns of the predictions.

    Raises:
        Error: No run is open.
    """

    def __init__(
        self,
        data_table_columns: Sequence[str],
        pred_table_columns: Sequence[str],
        *args: Any,
        **keywords: Any,
    ) -> None:
        super().__init__(*args, **keywords)
        open_run("WandbEvalCallback()")
        self.data_table_columns = list(data_table_columns)
        self.pred_table_columns = list(pred_table_columns)

    @abc.abstractmethod
    def add_ground_truth(self, logs: Mapping[str, Any] | None = None) -> None:
        """Add rows to ``self.data_table``; called when the training begins."""

    @abc.abstractmethod
    def add_model_predictions(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Add rows to ``self.pred_table``; called after each epoch."""

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Log the truth."""
        self.init_data_table(self.data_table_columns)
        self.add_ground_truth(logs)
        self.log_data_table()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the predictions."""
        self.init_pred_table(self.pred_table_columns)
        self.add_model_predictions(epoch, logs)
        self.log_pred_table()

    def init_data_table(self, column_names: Sequence[str]) -> None:
        """Make an empty ``self.data_table``."""
        self.data_table = wandb.Table(columns=list(column_names), allow_mixed_types=True)

    def init_pred_table(self, column_names: Sequence[str]) -> None:
        """Make an empty ``self.pred_table``."""
        self.pred_table = wandb.Table(columns=list(column_names))

    def log_data_table(
        self, name: str = "val", type: str = "dataset", table_name: str = "val_data"
    ) -> None:
        """Log the truth as an artifact, use it, and keep its table as ``self.data_table_ref``."""
        artifact = wandb.Artifact(name, type=type)
        artifact.add(self.data_table, table_name)
        open_run("log_data_table()").use_artifact(artifact)
        artifact.wait()
        self.data_table_ref = artifact.get(table_name)

    def log_pred_table(
        self,
        type: str = "evaluation",
        table_name: str = "eval_data",
        aliases: Sequence[str] | None = None,
    ) -> None:
        """Log the predictions as a version of the run's artifact."""
        run = open_run("log_pred_table()")
        artifact = wandb.Artifact(f"run_{run.id}_pred", type=type)
        artifact.add(self.pred_table, table_name)
        run.log_artifact(artifact, aliases=list(aliases or ["latest"]))
