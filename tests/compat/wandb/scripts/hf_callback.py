"""What the callback of transformers does with wandb, without transformers."""

import os

import numpy as np
import wandb


def rewrite_logs(d):
    new = {}
    for k, v in d.items():
        if k.startswith("eval_"):
            new["eval/" + k[5:]] = v
        elif k.startswith("test_"):
            new["test/" + k[5:]] = v
        else:
            new["train/" + k] = v
    return new


if wandb.run is None:
    wandb.init(project=os.getenv("WANDB_PROJECT", "huggingface"), name="out")
wandb.config.update(
    {
        "lr": 1e-4,
        "fp16": False,
        "deepspeed": None,
        "id2label": {"0": "neg", "1": "pos"},
        "fsdp_config": {"min_num_params": 0},
    },
    allow_val_change=True,
)
if getattr(wandb, "define_metric", None):
    wandb.define_metric("train/global_step")
    wandb.define_metric("*", step_metric="train/global_step", step_sync=True)
wandb.run._label(code="transformers_trainer")
wandb.config["model/num_parameters"] = 1234
for step in range(1, 4):
    logs = {"loss": 1 / step, "learning_rate": 1e-4, "epoch": step / 3, "train_runtime": 3.5}
    for k in ["train_runtime"]:
        wandb.run.summary[k] = logs.pop(k)
    wandb.log({**rewrite_logs(logs), "train/global_step": step})
evaluated = {"eval_loss": 0.4, "eval_accuracy": np.float64(0.9), "epoch": 1.0}
wandb.log({**rewrite_logs(evaluated), "train/global_step": 3})
