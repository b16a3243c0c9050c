"""A sweep in one file, as in W&B's own examples: a configuration, a function, an agent."""

import json

import torch
import wandb

sweep_configuration = {
    "method": "grid",
    "metric": {"goal": "minimize", "name": "loss"},
    "parameters": {
        "lr": {"values": [0.01, 0.1]},
        "width": {"values": [2, 4]},
        "epochs": {"value": 3},
    },
}
said = []


def train():
    with wandb.init() as run:
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Linear(4, run.config.width), torch.nn.Linear(wandb.config["width"], 1)
        )
        optimizer = torch.optim.SGD(net.parameters(), lr=wandb.config.lr)
        inputs = torch.randn(32, 4)
        for epoch in range(run.config.epochs):
            loss = (net(inputs) - inputs.sum(1, keepdim=True)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            wandb.log({"loss": loss.item(), "epoch": epoch})
        said.append({"lr": run.config.lr, "width": run.config.width, "loss": loss.item()})


sweep_id = wandb.sweep(sweep=sweep_configuration, project="sweeps")
wandb.agent(sweep_id, function=train, count=4)
with open("said.json", "w") as file:
    json.dump({"id": sweep_id, "trials": said}, file)
