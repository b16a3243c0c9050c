"""Prefixed metrics with steps of their own, and nested results, as RLHF trainers log them."""

import torch
import wandb

if not wandb.api.api_key:
    print("not logged in")
wandb.init(entity=None, project="rlhf", group="ppo", name="x_01", config={"a": 1}, reinit=True)
for prefix, counter in (("train", "global_step"), ("eval", "epoch")):
    wandb.define_metric(f"{prefix}/{counter}")
    wandb.define_metric(f"{prefix}/*", step_metric=f"{prefix}/{counter}", step_sync=True)
for step in range(1, 6):
    logs = {"reward": torch.tensor(step * 0.5), "kl": 0.01, "global_step": step}
    wandb.log({f"train/{k}": v for k, v in logs.items()})
wandb.log({"eval/epoch": 1, "eval/acc": 0.5})
wandb.log(
    {
        "info": {"learner": {"default_policy": {"stats": {"total_loss": 1.25, "lr": 0.0}}}},
        "hist_stats": {"episode_reward": [1.0, 2.0, 3.0]},
        "done": False,
    }
)
wandb.finish()
