"""Boosted trees as they are trained beside the usual way: cross-validation, twice, now and then."""

import json

import catboost
import lightgbm as lgb
import numpy as np
import wandb
import xgboost as xgb

random = np.random.default_rng(0)
inputs = random.normal(size=(120, 4))
labels = (inputs[:, 0] > 0).astype(int)

with wandb.init(project="trees", name="twice"):
    data = xgb.DMatrix(inputs, labels)
    callback = wandb.xgboost.WandbCallback(define_metric=False, log_feature_importance=False)
    for depth in (2, 3):
        kept = {}
        xgb.train(
            {
                "max_depth": depth,
                "objective": "binary:logistic",
                "eval_metric": "auc",
                "nthread": 1,
            },
            data,
            3,
            evals=[(data, "train")],
            evals_result=kept,
            callbacks=[callback],
            verbose_eval=False,
        )

with wandb.init(project="trees", name="folds"):
    folds = lgb.cv(
        {"objective": "binary", "metric": "auc", "num_threads": 1, "verbosity": -1},
        lgb.Dataset(inputs, labels),
        4,
        nfold=3,
        callbacks=[wandb.lightgbm.wandb_callback()],
    )

with wandb.init(project="trees", name="now and then"):
    model = catboost.CatBoostClassifier(
        7, metric_period=3, verbose=False, allow_writing_files=False, thread_count=1
    )
    model.fit(inputs, labels, callbacks=[wandb.catboost.WandbCallback(metric_period=3)])

refusals = []
for refused in (
    lambda: wandb.xgboost.WandbCallback(),
    lambda: wandb.catboost.WandbCallback(),
    lambda: wandb.lightgbm.log_summary(None),
    lambda: wandb.catboost.log_summary(model),
):
    try:
        refused()
    except wandb.Error as error:
        refusals.append(str(error))

with open("said.json", "w") as file:
    evals = model.get_evals_result()["learn"]["Logloss"]
    json.dump({"auc": kept, "folds": folds, "logloss": evals, "refusals": refusals}, file)
