"""Its own step metrics, globs, and summaries of best values, from the guides of W&B."""

import random

import wandb

random.seed(3)
with wandb.init(project="definitions", name="defined") as run:
    run.define_metric("train/step")
    run.define_metric("train/*", step_metric="train/step")
    run.define_metric("epoch", hidden=True)
    run.define_metric("val/acc", step_metric="epoch", summary="max")
    run.define_metric("val/loss", step_metric="epoch", summary="min,mean,last")
    run.define_metric("other*", step_metric="global_step")
    step = 0
    for epoch in range(3):
        for _ in range(4):
            run.log({"train/step": step, "train/loss": random.random(), "train/acc": step / 100})
            step += 1
        run.log({"epoch": epoch, "val/acc": [0.5, 0.9, 0.7][epoch], "val/loss": [3, 1, 2][epoch]})
        run.log({"other": epoch, "global_step": step})
