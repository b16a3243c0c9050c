"""A Fabric loop with the logger that W&B ships itself."""

import lightning as L
import numpy as np
import torch
import wandb
from lightning.pytorch.callbacks import ModelCheckpoint
from wandb.integration.lightning.fabric import WandbLogger

logger = WandbLogger(project="fabric", name="own", prefix="pre", log_model="all", tags=["a"])
fabric = L.Fabric(accelerator="cpu", devices=1, loggers=[logger])
fabric.launch()
fabric.logger.log_hyperparams({"lr": 0.1, "loss": torch.nn.functional.mse_loss})
for step in range(4):
    fabric.log_dict({"loss": 1 / (step + 1)}, step=step * 10)
fabric.log("plain", 1.0)
logger.log_image("pictures", [np.zeros((4, 4, 3), "uint8")] * 2, caption=["one", "two"], step=50)
logger.log_table("table", columns=["a", "b"], data=[[1, "x"], [2, "y"]])
for wrong in (
    lambda: logger.log_image("pictures", "no list"),
    lambda: logger.log_image("pictures", [1, 2], caption=["one"]),
):
    try:
        wrong()
    except (TypeError, ValueError) as error:
        print("refused:", type(error).__name__)

callback = ModelCheckpoint()
torch.save({"weights": torch.zeros(3)}, "epoch.ckpt")
callback.best_model_path, callback.best_model_score = "epoch.ckpt", torch.tensor(0.5)
callback.best_k_models = {"epoch.ckpt": torch.tensor(0.5)}
logger.after_save_checkpoint(callback)
logger.after_save_checkpoint(callback)
fabric.logger.finalize("success")
assert logger.version == wandb.run.id
assert logger.name == "fabric"
wandb.finish()
