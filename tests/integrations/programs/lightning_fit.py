"""A LightningModule, fitted and tested with a WandbLogger that watches it."""

import json
import sys
import warnings

import lightning as L
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger

warnings.simplefilter("ignore")


class Regression(L.LightningModule):
    def __init__(self, width=8, lr=0.05):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 1)
        )
        self.said = {"train_loss": [], "val_loss": []}

    def step(self, batch):
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def training_step(self, batch, _):
        loss = self.step(batch)
        self.log("train_loss", loss)
        self.said["train_loss"].append(loss.item())
        return loss

    def validation_step(self, batch, _):
        self.log("val_loss", self.step(batch), prog_bar=True)

    def on_validation_epoch_end(self):
        if not self.trainer.sanity_checking:
            self.said["val_loss"].append(self.trainer.callback_metrics["val_loss"].item())

    def test_step(self, batch, _):
        self.log("test_loss", self.step(batch))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams.lr)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)]


def data(count):
    inputs = torch.randn(count, 4)
    rows = torch.utils.data.TensorDataset(inputs, inputs.sum(1, keepdim=True))
    return torch.utils.data.DataLoader(rows, batch_size=16)


if __name__ == "__main__":
    L.seed_everything(0, verbose=False)
    strategy = sys.argv[1] if len(sys.argv) > 1 else "auto"
    logger = WandbLogger(project="lit", name="regression", save_dir=".", tags=["cpu"])
    model = Regression()
    if strategy == "auto":
        logger.watch(model, log="all", log_freq=5)
    trainer = L.Trainer(
        max_epochs=3,
        logger=logger,
        strategy=strategy,
        accelerator="cpu",
        devices=1 if strategy == "auto" else 2,
        log_every_n_steps=2,
        callbacks=[LearningRateMonitor("epoch"), ModelCheckpoint(monitor="val_loss")],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, data(96), data(32))
    (tested,) = trainer.test(model, data(32), verbose=False)
    said = {
        **model.said,
        "test": tested,
        "id": logger.version,
        "name": logger.experiment.name,
        "steps": trainer.global_step,
        "checkpoint": trainer.checkpoint_callback.best_model_path,
    }
    with open("said.json", "w") as file:
        json.dump(said, file)
