"""Trains a tiny two-tower model the way open_clip's main.py does: the run's id is its name, the
arguments are the config, the model is watched, a file is saved, and rows carry an own `step`."""

import argparse
import json
import logging
import os

import torch
from torch.nn import functional as F

try:
    import wandb
except ImportError:
    wandb = None

parser = argparse.ArgumentParser()
parser.add_argument("--name", default="tiny-clip")
parser.add_argument("--logs", default="logs")
parser.add_argument("--report-to", default="wandb")
parser.add_argument("--wandb-notes", default="two towers")
parser.add_argument("--wandb-project-name", type=str, default="open-clip")
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--resume", default=None)
parser.add_argument("--log-every-n-steps", type=int, default=2)
args = parser.parse_args()
args.wandb = "wandb" in args.report_to
logging.basicConfig(level=logging.INFO)

torch.manual_seed(0)
log_base_path = os.path.join(args.logs, args.name)
os.makedirs(log_base_path, exist_ok=True)
model = torch.nn.ModuleDict({"image": torch.nn.Linear(8, 4), "text": torch.nn.Linear(6, 4)})
logit_scale = torch.nn.Parameter(torch.tensor(1.0))
optimizer = torch.optim.AdamW([*model.parameters(), logit_scale], lr=1e-2)
first = 0
checkpoint = os.path.join(log_base_path, "epoch_latest.pt")
if args.resume == "latest":
    state = torch.load(checkpoint)
    model.load_state_dict(state["model"])
    first = state["epoch"]

if args.wandb:
    assert wandb is not None, "Please install wandb."
    logging.debug("Starting wandb.")
    args.train_sz = 64
    # you will have to configure this for your project!
    wandb.init(
        project=args.wandb_project_name,
        name=args.name,
        id=args.name,
        notes=args.wandb_notes,
        tags=[],
        resume="auto" if args.resume == "latest" else None,
        config=vars(args),
    )
    if args.resume is None:
        wandb.watch(torch.nn.Sequential(*model.values()), log="all")
    params_file = os.path.join(log_base_path, "params.txt")
    with open(params_file, "w") as f:
        for key in sorted(vars(args)):
            f.write(f"{key}: {getattr(args, key)}\n")
    wandb.save(params_file)
    logging.debug("Finished loading wandb.")

said = []
images = torch.randn(64, 8)
texts = images[:, :6] + 0.1 * torch.randn(64, 6)
for epoch in range(first, first + args.epochs):
    for i in range(8):
        batch = slice(8 * i, 8 * i + 8)
        image = F.normalize(model["image"](images[batch]), dim=-1)
        text = F.normalize(model["text"](texts[batch]), dim=-1)
        logits = logit_scale.exp() * image @ text.T
        loss = F.cross_entropy(logits, torch.arange(8))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step = epoch * 8 + i
        if i % args.log_every_n_steps == 0:
            log_data = {"contrastive_loss": loss.item(), "scale": logit_scale.item(), "lr": 1e-2}
            log_data = {"train/" + name: val for name, val in log_data.items()}
            said.append([step, log_data["train/contrastive_loss"]])
            if args.wandb:
                log_data["step"] = step  # for backwards compatibility
                wandb.log(log_data, step=step)
    if args.wandb:
        wandb.log({"val/loss": loss.item(), "epoch": epoch}, step=step)
torch.save({"model": model.state_dict(), "epoch": epoch + 1}, checkpoint)

if args.wandb:
    wandb.finish()
with open("said.json", "w") as file:
    json.dump(said, file)
