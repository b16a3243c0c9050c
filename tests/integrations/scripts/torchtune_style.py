"""Fine-tunes a tiny model the way a torchtune recipe does: a logger class over wandb that defines a
common step metric and keeps the resolved config as a file."""

import json
import os
from pathlib import Path

import torch


class WandBLogger:
    """Logger for use w/ Weights and Biases application."""

    def __init__(self, project="torchtune", entity=None, group=None, log_dir=None, **kwargs):
        if "reinit" not in kwargs:
            kwargs["reinit"] = True
        try:
            import wandb
        except ImportError as e:
            raise ImportError("``wandb`` package not found. Please install wandb.") from e
        self._wandb = wandb
        # Use dir if specified, otherwise use log_dir.
        self.log_dir = kwargs.pop("dir", log_dir)
        _, self.rank = 1, int(os.environ.get("RANK", 0))
        if self._wandb.run is None and self.rank == 0:
            # we check if wandb.init got called externally
            run = self._wandb.init(
                project=project, entity=entity, group=group, dir=self.log_dir, **kwargs
            )
        if self._wandb.run:
            self._wandb.run._label(repo="torchtune")
        # define default x-axis (for latest wandb versions)
        if getattr(self._wandb, "define_metric", None):
            self._wandb.define_metric("global_step")
            self._wandb.define_metric("*", step_metric="global_step", step_sync=True)
        self.config_allow_val_change = kwargs.get("allow_val_change", False)

    def log_config(self, config):
        if self._wandb.run:
            self._wandb.config.update(config, allow_val_change=self.config_allow_val_change)
            output_config_fname = Path(self.log_dir, "torchtune_config.yaml")
            output_config_fname.write_text(json.dumps(config))
            self._wandb.save(str(output_config_fname), base_path=output_config_fname.parent)

    def log_dict(self, payload, step):
        if self._wandb.run:
            self._wandb.log({**payload, "global_step": step})

    def __del__(self):
        # extra check for when there is an import error
        if hasattr(self, "_wandb") and self._wandb.run:
            self._wandb.finish()

    def close(self):
        if self._wandb.run:
            self._wandb.finish()


torch.manual_seed(0)
cfg = {"lr": 0.05, "optimizer": {"_component_": "torch.optim.SGD", "momentum": 0.9}, "epochs": 2}
logger = WandBLogger(project="tune", log_dir=".", name="lora", tags=["tiny"], job_type="finetune")
logger.log_config(cfg)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=cfg["lr"], momentum=0.9)
inputs = torch.randn(40, 3)
said = []
for global_step in range(1, 11):
    batch = inputs[4 * (global_step - 1) :][:4]
    loss = (model(batch) - batch.sum(1, keepdim=True)).square().mean()
    loss.backward()
    grad_norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    said.append([global_step, loss.item(), grad_norm.item()])
    logger.log_dict(
        {"loss": loss.item(), "lr": cfg["lr"], "tokens_per_second_per_gpu": 1.0}, step=global_step
    )
    logger.log_dict({"grad_norm": grad_norm}, step=global_step)
logger.close()

with open("said.json", "w") as file:
    json.dump(said, file)
