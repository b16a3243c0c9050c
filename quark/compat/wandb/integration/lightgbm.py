"""``wandb.integration.lightgbm``: the callback for LightGBM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quark.compat import wandb
from quark.compat.wandb.errors import Error
from quark.compat.wandb.integration.open_run import importance_chart, log_model_file, open_run
from quark.compat.wandb.integration.requirement import library

MINIMIZE_METRICS = frozenset(
    {"l1", "l2", "rmse", "mape", "huber", "fair", "poisson", "gamma", "binary_logloss"}
)
MAXIMIZE_METRICS = frozenset({"map", "auc", "average_precision"})

_lightgbm: Any = library("lightgbm", integration="lightgbm")


def wandb_callback(log_params: bool = True, define_metric: bool = True) -> Callable[[Any], None]:
    """Return a callback that logs ``<data set>_<metric>`` and ``iteration`` after every tree.

    Args:
        log_params: Keep the parameters of ``lightgbm.train`` in the config.
        define_metric: Let the summary have the best value of each metric in place of the last.
    """
    return _Callback(log_params=log_params, define_metric=define_metric)


class _Callback:
    """LightGBM calls it after each iteration, after the callbacks with a lower ``order``."""

    order = 20
    before_iteration = False

    def __init__(self, *, log_params: bool, define_metric: bool) -> None:
        self._log_params = log_params
        self._define_metric = define_metric

    def __call__(self, env: Any) -> None:
        results = list(_results(env.evaluation_result_list))
        if env.iteration == env.begin_iteration:
            if self._log_params:
                wandb.config.update(env.params, allow_val_change=True)
            if self._define_metric:
                for key, metric, _ in results:
                    _define(key, metric.lower())
        row = {key: value for key, _, value in results}
        wandb.log({**row, "iteration": env.iteration})


def log_summary(
    model: Any, feature_importance: bool = True, save_model_checkpoint: bool = False
) -> None:
    """Keep what a training came to: ``best_iteration`` and ``best_score`` in the summary.

    Args:
        model: A ``lightgbm.Booster``.
        feature_importance: Log a bar chart of the features' importance.
        save_model_checkpoint: Log the booster as an artifact.

    Raises:
        Error: No run is open, or ``model`` is no booster.
    """
    run = open_run("log_summary()")
    if not isinstance(model, _lightgbm.Booster):
        raise Error(f"model is a {type(model).__name__}, but must be a lightgbm.Booster.")
    run.summary["best_iteration"] = model.best_iteration
    run.summary["best_score"] = model.best_score
    if feature_importance:
        names, weights = model.feature_name(), model.feature_importance().tolist()
        rows = [[name, weight] for name, weight in zip(names, weights, strict=True)]
        wandb.log({"Feature Importance": importance_chart(rows)}, commit=False)
    if save_model_checkpoint:
        path = Path(run.dir) / f"model_ckpt_{model.best_iteration}.txt"
        model.save_model(path, num_iteration=model.best_iteration)
        log_model_file(path, f"model_{run.id}", "best")


def _results(given: Any) -> Iterator[tuple[str, str, float]]:
    """Yield key, name of the metric, and value; ``lightgbm.cv`` gives a mean and its deviation.

    Before 4.4 it called every data set ``cv_agg``, and the metric ``valid auc``.
    """
    for item in given:
        if len(item) == 4:
            data, metric, value = item[:3]
            yield f"{data}_{metric}", metric, value
        else:
            data, _, metric = f"{item[0]} {item[1]}".removeprefix("cv_agg ").partition(" ")
            for name, value in (("mean", item[2]), ("stdv", item[4])):
                yield f"{data}_{metric}-{name}", f"{metric}-{name}", value


def _define(key: str, metric: str) -> None:
    if "loss" in metric or metric in MINIMIZE_METRICS:
        wandb.define_metric(key, summary="min")
    elif metric in MAXIMIZE_METRICS:
        wandb.define_metric(key, summary="max")
