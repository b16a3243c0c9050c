"""Trains a network on a spiral, in the style of a first W&B script: argparse, ``with``, a table of
metric definitions, values of many kinds in a row."""

import argparse
from pathlib import Path

import numpy as np
import torch
import wandb
from torch import nn


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=24)
    parser.add_argument("--data", type=Path, default=Path("data") / "spiral")
    parser.add_argument("--layers", type=int, nargs="+", default=[24, 24])
    parser.add_argument("--early-stop", type=float, default=None)
    return parser.parse_args()


def spiral(count, generator):
    labels = torch.arange(count) % 2
    angle = torch.rand(count, generator=generator) * 6 + labels * np.pi
    points = torch.stack([angle.cos(), angle.sin()], 1) * (angle - labels * np.pi)[:, None] / 6
    return points, labels


def main():
    args = parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    train, test = spiral(400, generator), spiral(200, generator)

    with wandb.init(
        project="spiral", name="argparse", config=vars(args), job_type="train", notes="a first try"
    ) as run:
        run.define_metric("epoch")
        run.define_metric("val/*", step_metric="epoch")
        run.define_metric("val/loss", summary="min", step_metric="epoch")
        run.define_metric("val/accuracy", summary="max,last", step_metric="epoch")
        run.define_metric("hidden", summary="none")
        run.config.setdefaults({"lr": 1.0, "optimizer": "adam"})
        config = wandb.config

        model = nn.Sequential(
            nn.Linear(2, config.hidden),
            nn.ReLU(),
            nn.Linear(config["hidden"], config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, 2),
        )
        run.config.update({"parameters": sum(p.numel() for p in model.parameters())})
        optimizer = torch.optim.Adam(model.parameters(), config.lr)
        loss_fn = nn.CrossEntropyLoss()
        for epoch in range(config.epochs):
            for start in range(0, 400, 100):
                points, labels = train[0][start : start + 100], train[1][start : start + 100]
                loss = loss_fn(model(points), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                wandb.log({"train/loss": loss, "hidden": epoch, "text": f"batch {start}"})
            with torch.no_grad():
                logits = model(test[0])
                right = logits.argmax(1) == test[1]
            wandb.log({"epoch": epoch}, commit=False)
            wandb.log(
                {
                    "val/loss": loss_fn(logits, test[1]).item(),
                    "val/accuracy": right.float().mean().numpy(),
                    "val/right": int(right.sum()),
                    "val/confused": right.any(),
                    "val/first": logits[0],
                    "nothing": None,
                    "diverged": float("nan") if epoch == 3 else float(epoch),
                }
            )
        run.summary["model"] = {"layers": config.layers, "kind": "mlp"}
        run.tags += ("done",)
        Path(run.dir, "labels.txt").write_text("0\n1\n")
        print(f"accuracy {run.summary['val/accuracy']['max']:.3f}")


if __name__ == "__main__":
    main()
