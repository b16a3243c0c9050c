"""A loop of one's own under accelerate, with its tracker."""

import json

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

set_seed(0)
accelerator = Accelerator(log_with="wandb", cpu=True)
accelerator.init_trackers(
    "accelerated",
    config={"lr": 0.1, "layers": 1},
    init_kwargs={"wandb": {"name": "loop", "tags": ["cpu"], "group": "tests"}},
)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
inputs = torch.randn(64, 4)
data = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=16
)
model, optimizer, data = accelerator.prepare(model, optimizer, data)
losses = []
for epoch in range(3):
    for batch, target in data:
        loss = torch.nn.functional.mse_loss(model(batch), target)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        accelerator.log({"loss": loss}, step=len(losses) - 1)
        accelerator.log({"epoch": epoch}, step=len(losses) - 1)
tracker = accelerator.get_tracker("wandb")
run_id = accelerator.get_tracker("wandb", unwrap=True).id
accelerator.end_training()

with open("said.json", "w") as file:
    json.dump({"losses": losses, "id": run_id, "tracker": type(tracker).__name__}, file)
