"""Trains a tiny policy the way lerobot does: a logger class that resumes by the id in the folder
`wandb/latest-run`, keeps checkpoints as artifacts and shows a rollout as a video."""

import argparse
import json
import os
import re
from glob import glob
from pathlib import Path

import numpy as np
import torch

os.environ.setdefault("WANDB_SILENT", "True")


def get_wandb_run_id_from_filesystem(log_dir):
    # Get the WandB run ID.
    paths = glob(str(log_dir / "wandb/latest-run/run-*"))
    if len(paths) != 1:
        raise RuntimeError("Couldn't get the previous WandB run ID for run resumption.")
    match = re.search(r"run-([^\.]+).wandb", paths[0].split("/")[-1])
    if match is None:
        raise RuntimeError("Couldn't get the previous WandB run ID for run resumption.")
    return match.groups(0)[0]


class WandBLogger:
    def __init__(self, cfg):
        self.log_dir = Path(cfg["output_dir"])
        import wandb

        wandb_run_id = get_wandb_run_id_from_filesystem(self.log_dir) if cfg["resume"] else None
        wandb.init(
            id=wandb_run_id,
            project="lerobot",
            entity=None,
            name=cfg["job_name"],
            notes=None,
            tags=["policy:tiny", "seed:0"],
            dir=self.log_dir,
            config=cfg,
            # TODO: try set to True
            save_code=False,
            # TODO: split train and eval, and run async eval with job_type="eval"
            job_type="train_eval",
            resume="must" if cfg["resume"] else None,
            mode="online",
        )
        self.run_id = wandb.run.id
        print(f"Track this run --> {wandb.run.get_url()}")
        self._wandb = wandb
        self._wandb_custom_step_key = None

    def log_policy(self, checkpoint_dir):
        step_id = checkpoint_dir.name
        artifact = self._wandb.Artifact(f"policy-seed_0-{step_id}".replace(":", "_"), type="model")
        artifact.add_file(checkpoint_dir / "model.pt")
        self._wandb.log_artifact(artifact)

    def log_dict(self, d, step=None, mode="train", custom_step_key=None):
        if custom_step_key is not None:
            if self._wandb_custom_step_key is None:
                self._wandb_custom_step_key = set()
            new_custom_key = f"{mode}/{custom_step_key}"
            if new_custom_key not in self._wandb_custom_step_key:
                self._wandb_custom_step_key.add(new_custom_key)
                self._wandb.define_metric(new_custom_key, hidden=True)
        for k, v in d.items():
            if not isinstance(v, (int, float, str)):
                continue
            if self._wandb_custom_step_key is not None and k in self._wandb_custom_step_key:
                continue
            if custom_step_key is not None:
                value_custom_step = d[custom_step_key]
                data = {f"{mode}/{k}": v, f"{mode}/{custom_step_key}": value_custom_step}
                self._wandb.log(data)
                continue
            self._wandb.log(data={f"{mode}/{k}": v}, step=step)

    def log_video(self, frames, step, mode="train"):
        wandb_video = self._wandb.Video(frames, fps=4, format="gif")
        self._wandb.log({f"{mode}/video": wandb_video}, step=step)


parser = argparse.ArgumentParser()
parser.add_argument("--resume", action="store_true")
arguments = parser.parse_args()
cfg = {"output_dir": "outputs", "job_name": "tiny", "resume": arguments.resume, "steps": 6}
os.makedirs(cfg["output_dir"], exist_ok=True)
logger = WandBLogger(cfg)
torch.manual_seed(1 if arguments.resume else 0)
policy = torch.nn.Linear(4, 2)
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
start = 6 if arguments.resume else 0
said = {"id": logger.run_id, "loss": []}
for step in range(start + 1, start + cfg["steps"] + 1):
    observation = torch.randn(16, 4)
    loss = (policy(observation) - observation[:, :2]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    tracked = {"loss": loss.item(), "lr": 1e-2, "epochs": step / 6, "dataset": "tiny"}
    logger.log_dict(tracked, step)
    said["loss"].append([step, loss.item()])
checkpoint_dir = Path(cfg["output_dir"], "checkpoints", f"{step:06d}")
checkpoint_dir.mkdir(parents=True)
torch.save(policy.state_dict(), checkpoint_dir / "model.pt")
logger.log_policy(checkpoint_dir)
logger.log_dict({"pc_success": 50.0, "eval_s": 0.1}, step, mode="eval")
logger.log_video(np.zeros((4, 3, 16, 16), dtype=np.uint8), step, mode="eval")
with open("said.json", "w") as file:
    json.dump(said, file)
