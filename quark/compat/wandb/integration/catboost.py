"""``wandb.integration.catboost``: the callback for CatBoost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from quark.compat import wandb
from quark.compat.wandb.errors import Error
from quark.compat.wandb.integration.open_run import importance_chart, log_model_file, open_run
from quark.compat.wandb.integration.requirement import library

_catboost: Any = library("catboost", integration="catboost")


class WandbCallback:
    """Logs ``<data set>-<metric>`` whenever CatBoost has evaluated its metrics.

    Args:
        metric_period: The ``metric_period`` of the model; each row has the number of the tree as
            ``iteration@metric-period-<metric_period>``.

    Raises:
        Error: No run is open.
    """

    def __init__(self, metric_period: int = 1) -> None:
        open_run("WandbCallback()")
        self.metric_period = metric_period
        self._seen = 0

    def after_iteration(self, info: Any) -> bool:
        """Log one row if there are new values; never stop the training."""
        found = {
            f"{data}-{metric}": scores
            for data, metrics in info.metrics.items()
            for metric, scores in metrics.items()
        }
        count = sum(map(len, found.values()))
        if count > self._seen:
            self._seen = count
            row = {key: scores[-1] for key, scores in found.items()}
            wandb.log({**row, f"iteration@metric-period-{self.metric_period}": info.iteration})
        return True


def log_summary(
    model: Any,
    log_all_params: bool = True,
    save_model_checkpoint: bool = False,
    log_feature_importance: bool = True,
) -> None:
    """Keep what a training came to: ``best_iteration`` and ``best_score`` in the summary.

    Args:
        model: A ``CatBoostClassifier`` or a ``CatBoostRegressor``.
        log_all_params: Keep the model's parameters in the config.
        save_model_checkpoint: Log the model as an artifact.
        log_feature_importance: Log a bar chart of the features' importance.

    Raises:
        Error: No run is open, or ``model`` is none of these.
    """
    run = open_run("log_summary()")
    if not isinstance(model, (_catboost.CatBoostClassifier, _catboost.CatBoostRegressor)):
        raise Error(
            f"model is a {type(model).__name__}, but must be a CatBoostClassifier or a "
            "CatBoostRegressor."
        )
    parameters = model.get_all_params()
    if log_all_params:
        wandb.config.update(parameters, allow_val_change=True)
    run.summary["best_iteration"] = model.get_best_iteration()
    run.summary["best_score"] = model.get_best_score()
    if save_model_checkpoint:
        path = Path(run.dir) / "model"
        model.save_model(path)
        best = parameters.get("use_best_model", False)
        log_model_file(path, f"model_{run.id}", "best" if best else "last")
    if log_feature_importance:
        found = model.get_feature_importance(prettified=True)
        pairs = zip(found["Feature Id"], found["Importances"], strict=True)
        rows = [[feature, float(weight)] for feature, weight in pairs]
        wandb.log({"Feature Importance": importance_chart(rows)}, commit=False)


#: W&B has this module's contents one level below too; the shim's namespaces give it.
catboost = sys.modules[f"{__name__}.catboost"]
