"""The config inside of the workers of a loader, and a watched model that is copied and saved."""

import copy

import torch
import wandb
from torch.utils.data import DataLoader, Dataset


class Scaled(Dataset):
    def __init__(self, run):
        self.run = run
        self.config = wandb.config

    def __len__(self):
        return 16

    def __getitem__(self, i):
        return torch.ones(2) * i * self.config.get("scale", 1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run = wandb.init(project="loader", name="watched", config={"scale": 2})
    for batch in DataLoader(
        Scaled(run), batch_size=4, num_workers=2, multiprocessing_context="fork"
    ):
        wandb.log({"mean": batch.mean()})
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    wandb.watch(model, torch.nn.MSELoss(), log=None, log_freq=1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for _ in range(4):
        loss = model(torch.randn(4, 2)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        wandb.log({"loss": loss.item()})
    wandb.unwatch(model)
    torch.save(model.state_dict(), "weights.pt")
    torch.save(model, "model.pt")
    copy.deepcopy(model)
