"""A LightningModule that logs images, a table and text, and keeps its checkpoints as artifacts."""

import json
import os
import warnings

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger

warnings.simplefilter("ignore")


class Shows(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(16, 1)

    def training_step(self, batch, _):
        loss = self.net(batch[0].flatten(1)).square().mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        images = batch[0]
        self.log("val_loss", self.net(images.flatten(1)).square().mean())
        if index == 0 and not self.trainer.sanity_checking:
            self.logger.log_image(
                key="samples", images=[images[0], images[1].numpy()[0]], caption=["zero", "one"]
            )
            rows = [[i, float(image.mean()), f"image {i}"] for i, image in enumerate(images)]
            self.logger.log_table("means", columns=["index", "mean", "text"], data=rows)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


L.seed_everything(0, verbose=False)
pictures = torch.from_numpy(
    np.random.default_rng(0).integers(0, 255, (8, 1, 4, 4), dtype=np.uint8)
).float()
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(pictures / 255), batch_size=4)
logger = WandbLogger(project="lit", name="media", log_model="all")
checkpoint = ModelCheckpoint(monitor="val_loss", save_top_k=1, every_n_epochs=1)
trainer = L.Trainer(
    max_epochs=2,
    logger=logger,
    accelerator="cpu",
    log_every_n_steps=1,
    callbacks=[checkpoint],
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(Shows(), data, data)
logger.log_text("words", columns=["word"], data=[["done"]])
reference = f"lit/model-{logger.version}:best"
folder = WandbLogger.download_artifact(reference, save_dir="again", artifact_type="model")
(file_name,) = os.listdir(folder)
again = torch.load(os.path.join(folder, file_name), weights_only=False)["state_dict"]
best = torch.load(checkpoint.best_model_path, weights_only=False)["state_dict"]

with open("said.json", "w") as file:
    json.dump(
        {
            "means": [float(image.mean()) for image in pictures[:4] / 255],
            "same": all(torch.equal(again[name], best[name]) for name in best),
            "path": file_name,
            "score": float(checkpoint.best_model_score),
        },
        file,
    )
