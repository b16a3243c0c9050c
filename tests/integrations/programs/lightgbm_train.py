"""Boosted trees with W&B's callback for LightGBM."""

import json

import lightgbm as lgb
import numpy as np
import wandb
from wandb.integration.lightgbm import log_summary, wandb_callback

random = np.random.default_rng(0)
inputs = random.normal(size=(200, 5))
targets = inputs[:, 0] * 2 + inputs[:, 1]
wandb.init(project="trees", name="lightgbm")
train = lgb.Dataset(inputs[:150], targets[:150])
valid = lgb.Dataset(inputs[150:], targets[150:], reference=train)
evals = {}
booster = lgb.train(
    {"objective": "regression", "metric": ["rmse", "l1"], "num_threads": 1, "verbosity": -1},
    train,
    num_boost_round=10,
    valid_sets=[train, valid],
    valid_names=["train", "valid"],
    callbacks=[wandb_callback(), lgb.record_evaluation(evals)],
)
log_summary(booster, save_model_checkpoint=True)
wandb.finish()

with open("said.json", "w") as file:
    json.dump({"evals": evals, "importance": booster.feature_importance().tolist()}, file)
