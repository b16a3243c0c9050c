"""A study in one run, then one with a run for each trial."""

import json
import warnings

import optuna
import wandb
from optuna_integration.wandb import WeightsAndBiasesCallback

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.WARNING)


def study_of(objective, callback):
    study = optuna.create_study(
        study_name="parabola", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(objective, n_trials=5, callbacks=[callback])
    return [{"number": t.number, "value": t.value, **t.params} for t in study.trials]


def parabola(trial):
    x = trial.suggest_float("x", -10, 10)
    return (x - 2) ** 2


one = WeightsAndBiasesCallback(
    metric_name="loss", wandb_kwargs={"project": "one-run", "name": "study"}
)
said = {"one": study_of(parabola, one)}
wandb.finish()

many = WeightsAndBiasesCallback(
    wandb_kwargs={"project": "many-runs", "tags": ["random"]}, as_multirun=True
)


@many.track_in_wandb()
def tracked(trial):
    x = trial.suggest_float("x", -10, 10)
    for step in range(3):
        wandb.log({"distance": abs(x - 2) / (step + 1)})
    return (x - 2) ** 2


said["many"] = study_of(tracked, many)

with open("said.json", "w") as file:
    json.dump(said, file)
