"""Tries several settings one after the other, as hand-made sweeps do: one process, many runs, some
ended by ``finish``, some by the next ``init(reinit=True)``, one by an exception."""

import itertools

import torch
import wandb
from torch import nn


def train(lr, width):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    x = torch.linspace(-1, 1, 64)[:, None]
    for step in range(25):
        loss = nn.functional.mse_loss(model(x), x**3)
        if not torch.isfinite(loss) or loss > 1e3:
            raise FloatingPointError(f"diverged with lr={lr}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        wandb.log({"loss": loss.item(), "progress": step / 25})
    return loss.item()


def main():
    torch.set_num_threads(1)
    results = {}
    for index, (lr, width) in enumerate(itertools.product((0.01, 0.1, 150.5), (4, 16))):
        run = wandb.init(
            project="many",
            group="grid",
            name=f"lr{lr}-w{width}",
            config={"lr": lr, "width": width},
            reinit=True,
        )
        try:
            results[run.name] = train(wandb.config.lr, wandb.config.width)
        except FloatingPointError as error:
            wandb.log({"diverged": str(error)})
            wandb.finish(exit_code=1)
            continue
        run.summary["final_loss"] = results[run.name]
        if index % 2:
            run.finish()
    best = min(results, key=results.get)
    with wandb.init(project="many", group="grid", name="overview", job_type="report") as run:
        run.config.update({"best": best, "runs": sorted(results)})
        for place, name in enumerate(sorted(results, key=results.get)):
            run.log({"place": place, "run": name, "loss": results[name]})
    assert wandb.run is None


if __name__ == "__main__":
    main()
