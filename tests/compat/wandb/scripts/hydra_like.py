"""Trains a regression under a nested OmegaConf configuration, in the style of hydra applications:
a container as config, a logger class, metrics in nested dicts."""

import torch
import wandb
from omegaconf import OmegaConf
from torch import nn

CONFIG = """
experiment: sine
seed: 7
model:
  width: 16
  depth: 2
  activation: Tanh
optim:
  name: AdamW
  lr: 0.01
  betas: [0.9, 0.95]
  scheduler:
    name: step
    gamma: 0.5
    every: ${trainer.epochs}
trainer:
  epochs: 6
  batches: 8
  log_every: 2
wandb:
  project: hydra-like
  name: ${experiment}-w${model.width}
  tags: [regression, omegaconf]
"""


class Logger:
    def __init__(self, cfg):
        self.run = wandb.init(
            **OmegaConf.to_container(cfg.wandb, resolve=True),
            config=OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True),
            group=cfg.experiment,
        )
        self.step = 0

    def log(self, values, commit=True):
        wandb.log(values, step=self.step, commit=commit)
        if commit:
            self.step += 1

    def close(self):
        self.run.finish()


def build(cfg):
    activation = getattr(nn, cfg.model.activation)
    layers = [nn.Linear(1, cfg.model.width), activation()]
    for _ in range(cfg.model.depth - 1):
        layers += [nn.Linear(cfg.model.width, cfg.model.width), activation()]
    return nn.Sequential(*layers, nn.Linear(cfg.model.width, 1))


def main():
    cfg = OmegaConf.merge(
        OmegaConf.create(CONFIG), OmegaConf.from_dotlist(["optim.lr=0.02", "model.depth=3"])
    )
    torch.manual_seed(cfg.seed)
    torch.set_num_threads(1)
    logger = Logger(cfg)
    model = build(cfg)
    wandb.config.update({"model": {**wandb.config["model"], "kind": "mlp"}}, allow_val_change=True)
    wandb.config["parameters/total"] = sum(p.numel() for p in model.parameters())
    optimizer = getattr(torch.optim, cfg.optim.name)(
        model.parameters(), lr=cfg.optim.lr, betas=tuple(cfg.optim.betas)
    )
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, cfg.optim.scheduler.gamma)
    x = torch.linspace(-3, 3, 128)[:, None]
    y = torch.sin(2 * x)
    for epoch in range(cfg.trainer.epochs):
        for batch in range(cfg.trainer.batches):
            picked = torch.randint(128, (32,))
            loss = nn.functional.mse_loss(model(x[picked]), y[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if batch % cfg.trainer.log_every == 0:
                logger.log({"train": {"loss": loss.item(), "epoch": epoch}}, commit=False)
                logger.log({"optim": {"lr": scheduler.get_last_lr()[0]}})
        with torch.no_grad():
            error = (model(x) - y).abs()
        logger.log(
            {
                "val": {
                    "mae": error.mean(),
                    "worst": {"error": error.max(), "at": x[error.argmax()].item()},
                },
                "epoch": epoch,
            }
        )
        scheduler.step()
    wandb.run.summary["val.final"] = error.mean().item()
    wandb.run.summary.update({"best": {"epoch": epoch, "mae": error.min().item()}})
    logger.close()


if __name__ == "__main__":
    main()
