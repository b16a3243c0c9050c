"""Trains with two processes over gloo, in the style of DDP scripts: every process computes, the
first one alone has a run and logs what all of them reduced."""

import os

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import wandb
from torch import nn

WORLD_SIZE = 2
EPOCHS = 4


def average_gradients(model):
    for parameter in model.parameters():
        dist.all_reduce(parameter.grad)
        parameter.grad /= WORLD_SIZE


def main(rank):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(WORLD_SIZE))
    torch.set_num_threads(1)
    meeting_place = f"file://{os.path.abspath('meeting-place')}"
    dist.init_process_group("gloo", meeting_place, rank=rank, world_size=WORLD_SIZE)
    is_main = rank == 0
    config = {"lr": 0.1, "epochs": EPOCHS, "world_size": dist.get_world_size(), "backend": "gloo"}
    run = None
    if is_main:
        run = wandb.init(project="ddp", name="two-ranks", group="ddp", config=config)
        wandb.define_metric("epoch")
        wandb.define_metric("epoch/*", step_metric="epoch", summary="mean")

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
    generator = torch.Generator().manual_seed(100 + rank)
    for epoch in range(EPOCHS):
        total = torch.zeros(1)
        for batch in range(6):
            x = torch.randn(32, 6, generator=generator)
            loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True).sin())
            optimizer.zero_grad()
            loss.backward()
            average_gradients(model)
            optimizer.step()
            reduced = loss.detach().clone()
            dist.all_reduce(reduced)
            total += reduced / WORLD_SIZE
            if wandb.run is not None:
                wandb.log({"batch/loss": reduced / WORLD_SIZE, "batch/number": batch})
        if is_main:
            run.log({"epoch/loss": total / 6, "epoch": epoch})
        dist.barrier()
    dist.destroy_process_group()
    if is_main:
        wandb.finish()


if __name__ == "__main__":
    mp.spawn(main, nprocs=WORLD_SIZE)
