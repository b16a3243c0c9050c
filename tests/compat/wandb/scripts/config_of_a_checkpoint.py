"""The config read in every way that scripts know, changed, and kept in a checkpoint."""

import argparse
import json

import torch
import wandb

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--layers", type=int, nargs="+", default=[64, 32])
args = parser.parse_args([])

run = wandb.init(
    project="checkpoints",
    name="kept",
    config={**vars(args), "opt": {"name": "adam"}, "sizes": (1, 2), "none": None},
)
config = wandb.config
assert config.opt["name"] == "adam"
assert config["layers"] == [64, 32]
assert config.get("missing", 3) == 3
assert "opt" in config
try:
    config.lr = 1
except wandb.Error as error:
    wandb.run.summary["refused"] = type(error).__name__
config.update({"lr": 3, "opt": {"lr": 5}}, allow_val_change=True)
config.setdefaults({"lr": 4, "seed": 1})
config.late = {"a": {"b": 1}}
torch.save({"config": dict(config), "epoch": 1}, "checkpoint.pt")
loaded = torch.load("checkpoint.pt", weights_only=False)["config"]
assert loaded["opt"] == config["opt"]
names = argparse.Namespace(**{k: v for k, v in config.items() if k != "_wandb"})
wandb.run.summary["names"] = sorted(vars(names))
wandb.run.summary["json"] = json.dumps(dict(config.items())["late"])
wandb.log({"x": 1})
