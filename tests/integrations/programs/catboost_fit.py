"""Boosted trees with W&B's callback for CatBoost."""

import json

import numpy as np
import wandb
from catboost import CatBoostRegressor
from wandb.integration.catboost import WandbCallback, log_summary

random = np.random.default_rng(0)
inputs = random.normal(size=(200, 5))
targets = inputs[:, 0] * 2 + inputs[:, 1]
wandb.init(project="trees", name="catboost")
model = CatBoostRegressor(iterations=8, depth=3, thread_count=1, allow_writing_files=False)
model.fit(
    inputs[:150],
    targets[:150],
    eval_set=(inputs[150:], targets[150:]),
    callbacks=[WandbCallback()],
    verbose=False,
)
log_summary(model, save_model_checkpoint=True)
wandb.finish()

with open("said.json", "w") as file:
    json.dump({"evals": model.get_evals_result(), "best": model.get_best_iteration()}, file)
