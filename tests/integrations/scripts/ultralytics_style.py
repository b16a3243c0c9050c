"""Trains a tiny detector-like model the way ultralytics does: callbacks that find wandb at import,
log by epoch into one row, plot tables, and keep the best weights as an artifact."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

try:
    import wandb as wb

    assert hasattr(wb, "__version__")
    _processed_plots = {}
except (ImportError, AssertionError):
    wb = None


def _custom_table(
    x, y, classes, title="Precision Recall Curve", x_title="Recall", y_title="Precision"
):
    import pandas

    df = pandas.DataFrame({"class": classes, "y": y, "x": x}).round(3)
    fields = {"x": "x", "y": "y", "class": "class"}
    string_fields = {"title": title, "x-axis-title": x_title, "y-axis-title": y_title}
    return wb.plot_table(
        "wandb/area-under-curve/v0",
        wb.Table(dataframe=df),
        fields=fields,
        string_fields=string_fields,
    )


def _log_plots(plots, step):
    for name, params in plots.copy().items():  # shallow copy to prevent plots dict changing
        timestamp = params["timestamp"]
        if _processed_plots.get(name) != timestamp:
            wb.run.log({name.stem: wb.Image(str(name))}, step=step)
            _processed_plots[name] = timestamp


def on_pretrain_routine_start(trainer):
    if not wb.run:
        wb.init(
            project=str(trainer.args.project).replace("/", "-")
            if trainer.args.project
            else "Ultralytics",
            name=str(trainer.args.name).replace("/", "-"),
            config=vars(trainer.args),
        )


def on_fit_epoch_end(trainer):
    wb.run.log(trainer.metrics, step=trainer.epoch + 1)
    _log_plots(trainer.plots, step=trainer.epoch + 1)
    if trainer.epoch == 0:
        wb.run.log({"model/parameters": trainer.parameters}, step=trainer.epoch + 1)


def on_train_epoch_end(trainer):
    wb.run.log({"train/box_loss": trainer.tloss}, step=trainer.epoch + 1)
    wb.run.log({"lr/pg0": trainer.lr}, step=trainer.epoch + 1)
    if trainer.epoch == 1:
        _log_plots(trainer.plots, step=trainer.epoch + 1)


def on_train_end(trainer):
    _log_plots(trainer.plots, step=trainer.epoch + 1)
    art = wb.Artifact(type="model", name=f"run_{wb.run.id}_model")
    if trainer.best.exists():
        art.add_file(trainer.best)
        wb.run.log_artifact(art, aliases=["best"])
    x = np.linspace(0, 1, 5)
    wb.run.log(
        {"curves/Precision-Recall(B)": _custom_table(x, 1 - x**2, ["mean"] * 5)}, commit=False
    )
    wb.run.finish()  # required or run continues on dashboard


torch.manual_seed(0)
trainer = SimpleNamespace(
    args=SimpleNamespace(project="runs/detect", name="tiny", epochs=3, lr0=0.1, device=None),
    plots={},
    best=Path("best.pt"),
    metrics={},
)
model = torch.nn.Linear(4, 1)
trainer.parameters = sum(p.numel() for p in model.parameters())
optimizer = torch.optim.SGD(model.parameters(), lr=trainer.args.lr0)
inputs = torch.randn(32, 4)
said = {"box_loss": [], "map": []}
on_pretrain_routine_start(trainer)
for trainer.epoch in range(trainer.args.epochs):
    loss = (model(inputs) - inputs.mean(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    trainer.tloss = loss.detach()
    trainer.lr = optimizer.param_groups[0]["lr"]
    if trainer.epoch == 0:
        from PIL import Image

        Image.fromarray(np.full((8, 8, 3), 200, dtype=np.uint8)).save("labels.jpg")
        trainer.plots[Path("labels.jpg")] = {"data": None, "timestamp": 1}
    on_train_epoch_end(trainer)
    trainer.metrics = {"metrics/mAP50(B)": 1 - loss.item(), "val/box_loss": loss.item() * 1.1}
    said["box_loss"].append(loss.item())
    said["map"].append(trainer.metrics["metrics/mAP50(B)"])
    on_fit_epoch_end(trainer)
torch.save(model.state_dict(), trainer.best)
said["size"] = trainer.best.stat().st_size
on_train_end(trainer)

with open("said.json", "w") as file:
    json.dump(said, file)
