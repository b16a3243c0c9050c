"""A loop of one's own under Lightning Fabric with a logger, as litgpt has it."""

import json

import lightning as L
import torch
from lightning.pytorch.loggers import WandbLogger

torch.manual_seed(0)
logger = WandbLogger(project="litgpt", name="pretrain", resume=False)
fabric = L.Fabric(accelerator="cpu", devices=1, loggers=[logger])
fabric.launch()
fabric.logger.log_hyperparams({"model": {"n_layer": 1}, "train": {"lr": 0.1}})
model = torch.nn.Linear(4, 1)
model, optimizer = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=0.1))
losses = []
for iter_num in range(1, 9):
    batch = torch.randn(8, 4)
    loss = (model(batch) - batch.sum(1, keepdim=True)).square().mean()
    fabric.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    losses.append([iter_num, loss.item()])
    metrics = {"loss": loss.item(), "iter": iter_num, "learning_rate": 0.1}
    fabric.log_dict(metrics, step=iter_num)
fabric.logger.finalize("success")

with open("said.json", "w") as file:
    json.dump(losses, file)
