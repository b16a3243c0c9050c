"""A tabular learner of fastai with its own WandbCallback."""

import json

import numpy as np
import pandas as pd
import wandb
from fastai.callback.tracker import SaveModelCallback
from fastai.callback.wandb import WandbCallback
from fastai.tabular.all import (
    Categorify,
    Normalize,
    RegressionBlock,
    TabularDataLoaders,
    set_seed,
    tabular_learner,
)

set_seed(0, reproducible=True)
random = np.random.default_rng(0)
frame = pd.DataFrame(random.normal(size=(160, 3)).astype("float32"), columns=["a", "b", "c"])
frame["kind"] = random.choice(["x", "y"], size=160)
frame["target"] = (frame.a - frame.b + (frame.kind == "x")).astype("float32")
dls = TabularDataLoaders.from_df(
    frame,
    path=".",
    procs=[Categorify, Normalize],
    cat_names=["kind"],
    cont_names=["a", "b", "c"],
    y_names="target",
    y_block=RegressionBlock(),
    valid_idx=list(range(128, 160)),
    bs=32,
)
wandb.init(project="fast", name="tabular")
learn = tabular_learner(
    dls,
    layers=[8],
    y_range=(-5, 5),
    cbs=[WandbCallback(log="all", log_model=True), SaveModelCallback(fname="best")],
)
raw = []


def keep(learner):
    if learner.training:
        raw.append(float(learner.loss))


from fastai.callback.core import Callback  # noqa: E402


class Keep(Callback):
    def after_batch(self):
        keep(self.learn)


with learn.no_bar():
    learn.fit(3, lr=1e-2, cbs=Keep())
    first = [[float(v) for v in row] for row in learn.recorder.values]
    learn.fit(1, lr=1e-3, cbs=Keep())
    second = [[float(v) for v in row] for row in learn.recorder.values]
wandb.finish()

with open("said.json", "w") as file:
    json.dump(
        {"raw": raw, "values": first + second, "names": list(learn.recorder.metric_names)}, file
    )
