"""Trains with a checkpoint an epoch and goes on where it was after a crash, as scripts for
preemptible machines do: ``--crash-at 3`` breaks, the same command without it finishes the run."""

import argparse
import os

import torch
import wandb
from torch import nn

CHECKPOINT = "checkpoint.pt"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crash-at", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    torch.manual_seed(3)
    torch.set_num_threads(1)

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    weights = torch.randn(4, 1)
    state = {"epoch": 0, "run_id": "crashing", "best": 1e9}
    if os.path.exists(CHECKPOINT):
        state = torch.load(CHECKPOINT)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])

    run = wandb.init(
        project="resume",
        id=state["run_id"],
        name="goes on",
        resume="allow",
        tags=["preemptible"],
        config={"epochs": args.epochs, "lr": 0.05},
    )
    wandb.define_metric("val/loss", summary="min")
    wandb.define_metric("val/loss", summary="last")
    for epoch in range(state["epoch"], args.epochs):
        for batch in range(5):
            x = torch.randn(16, 4)
            loss = nn.functional.mse_loss(model(x), x @ weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            wandb.log({"train/loss": loss.item(), "train/batch": batch})
        val_loss = (model.weight.T - weights).norm().item()
        wandb.log({"epoch": epoch, "val/loss": val_loss})
        if val_loss < state["best"]:
            state["best"] = val_loss
            wandb.summary["best_epoch"] = epoch
        state.update(
            epoch=epoch + 1,
            model=model.state_dict(),
            optimizer=optimizer.state_dict(),
            rng=torch.get_rng_state(),
        )
        torch.save(state, CHECKPOINT)
        if epoch == args.crash_at:
            raise RuntimeError("the machine was taken away")
    run.summary["finished"] = True
    wandb.finish()


if __name__ == "__main__":
    main()
