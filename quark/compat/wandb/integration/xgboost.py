"""``wandb.integration.xgboost``: the callbacks for XGBoost."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.compat import wandb
from quark.compat.wandb.integration.open_run import importance_chart, log_model_file, open_run
from quark.compat.wandb.integration.requirement import library

MINIMIZE_METRICS = frozenset(
    {"rmse", "rmsle", "mae", "mape", "mphe", "logloss", "error", "error@t", "merror"}
)
MAXIMIZE_METRICS = frozenset({"auc", "aucpr", "ndcg", "map", "ndcg@n", "map@n"})

_Base: Any = library("xgboost.callback", integration="xgboost").TrainingCallback


def wandb_callback() -> Callable[[Any], None]:
    """Return the callback of the old kind, which logs each row of results.

    XGBoost takes such functions no longer; use :class:`WandbCallback`.
    """
    warnings.warn(
        "wandb_callback is old; use WandbCallback, which logs more.", UserWarning, stacklevel=2
    )

    def log_results(env: Any) -> None:
        wandb.log(dict(env.evaluation_result_list))

    return log_results


class WandbCallback(_Base):  # type: ignore[misc]
    """Logs a booster's configuration, its results after every tree, and what it came to.

    Results are ``<data set>-<metric>``; each row has ``epoch``. At the end come ``best_score`` and
    ``best_iteration``, if the training was stopped early.

    Args:
        log_model: Log the booster as an artifact.
        log_feature_importance: Log a bar chart of the features' importance.
        importance_type: ``weight``, ``gain``, ``cover``, ``total_gain`` or ``total_cover``.
        define_metric: Let the summary have the best value of each metric in place of the last.

    Raises:
        Error: No run is open.
    """

    def __init__(
        self,
        log_model: bool = False,
        log_feature_importance: bool = True,
        importance_type: str = "gain",
        define_metric: bool = True,
    ) -> None:
        super().__init__()
        open_run("WandbCallback()")
        self.log_model = log_model
        self.log_feature_importance = log_feature_importance
        self.importance_type = importance_type
        self.define_metric = define_metric

    def before_training(self, model: Any) -> Any:
        """Keep the booster's configuration."""
        wandb.config.update(jsonio.loads(model.save_config()), allow_val_change=True)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Any]) -> bool:
        """Log one row; never stop the training."""
        row: dict[str, Any] = {}
        for data, metrics in evals_log.items():
            for metric, scores in metrics.items():
                key = f"{data}-{metric}"
                if self.define_metric:
                    _define(key, metric.lower())
                row[key] = scores[-1]
        wandb.log({**row, "epoch": epoch})
        self.define_metric = False
        return False

    def after_training(self, model: Any) -> Any:
        """Log what the training came to."""
        if self.log_model:
            run = open_run("WandbCallback()")
            name = f"{run.id}_model.json"
            path = Path(run.dir) / name
            model.save_model(str(path))
            log_model_file(path, name)
        if self.log_feature_importance:
            scores = model.get_score(importance_type=self.importance_type)
            rows = [[feature, score] for feature, score in scores.items()]
            wandb.log({"Feature Importance": importance_chart(rows)})
        best = model.attr("best_score")
        if best is not None:
            iteration = int(model.attr("best_iteration"))
            wandb.log({"best_score": float(best), "best_iteration": iteration})
        return model


def _define(key: str, metric: str) -> None:
    if "loss" in metric or metric in MINIMIZE_METRICS:
        wandb.define_metric(key, summary="min")
    elif metric in MAXIMIZE_METRICS:
        wandb.define_metric(key, summary="max")


#: W&B has this module's contents one level below too; the shim's namespaces give it.
xgboost = sys.modules[f"{__name__}.xgboost"]
