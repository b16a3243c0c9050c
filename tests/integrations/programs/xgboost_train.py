"""Boosted trees with W&B's callback for xgboost."""

import json

import numpy as np
import wandb
import xgboost as xgb
from wandb.integration.xgboost import WandbCallback

random = np.random.default_rng(0)
inputs = random.normal(size=(200, 5))
labels = (inputs[:, 0] + 0.3 * inputs[:, 1] > 0).astype(int)
wandb.init(project="trees", name="xgboost", config={"max_depth": 3})
model = xgb.XGBClassifier(
    n_estimators=12,
    max_depth=wandb.config.max_depth,
    eval_metric=["logloss", "error"],
    early_stopping_rounds=20,
    callbacks=[WandbCallback(log_model=True)],
    n_jobs=1,
)
model.fit(
    inputs[:150],
    labels[:150],
    eval_set=[(inputs[:150], labels[:150]), (inputs[150:], labels[150:])],
    verbose=False,
)
wandb.finish()

with open("said.json", "w") as file:
    json.dump(
        {
            "evals": model.evals_result(),
            "best_score": model.best_score,
            "best_iteration": model.best_iteration,
            "gain": model.get_booster().get_score(importance_type="gain"),
        },
        file,
    )
