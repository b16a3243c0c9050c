"""Trains a small convolutional network, in the style of timm's training script: a Namespace as
config, an optional import, one row an epoch under ``step=epoch``."""

import argparse
import csv
import os
from collections import OrderedDict

import torch
from torch import nn

try:
    import wandb

    has_wandb = True
except ImportError:
    has_wandb = False

parser = argparse.ArgumentParser(description="Training")
parser.add_argument("--model", default="tiny_cnn", type=str)
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("-b", "--batch-size", type=int, default=32)
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--lr-cycle-decay", type=float, default=0.5)
parser.add_argument("--weight-decay", type=float, default=2e-5)
parser.add_argument("--smoothing", type=float, default=0.1)
parser.add_argument("--mean", type=float, nargs="+", default=None)
parser.add_argument("--betas", type=float, nargs="+", default=[0.9, 0.99])
parser.add_argument("--amp", action="store_true")
parser.add_argument("--seed", type=int, default=42)
parser.add_argument("--output", default="output", type=str)
parser.add_argument("--experiment", default="timm-like", type=str)
parser.add_argument("--log-wandb", action="store_true", default=True)
parser.add_argument("--wandb-tags", default=["cnn", "synthetic"], nargs="+")


class AverageMeter:
    def __init__(self):
        self.sum, self.count = 0.0, 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n

    @property
    def avg(self):
        return self.sum / self.count


def make_data(count, generator):
    images = torch.randn(count, 1, 8, 8, generator=generator)
    labels = (images[:, 0, :4].mean((1, 2)) > images[:, 0, 4:].mean((1, 2))).long()
    return list(zip(images.split(32), labels.split(32), strict=True))


def accuracy(output, target):
    return (output.argmax(1) == target).float().mean() * 100.0


def train_one_epoch(model, loader, optimizer, loss_fn):
    losses = AverageMeter()
    model.train()
    for images, target in loader:
        loss = loss_fn(model(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), images.size(0))
    return OrderedDict([("loss", losses.avg)])


@torch.no_grad()
def validate(model, loader, loss_fn):
    losses, top1 = AverageMeter(), AverageMeter()
    model.eval()
    for images, target in loader:
        output = model(images)
        losses.update(loss_fn(output, target).item(), images.size(0))
        top1.update(accuracy(output, target).item(), images.size(0))
    return OrderedDict([("loss", losses.avg), ("top1", top1.avg), ("top5", 100.0)])


def update_summary(epoch, train_metrics, eval_metrics, filename, lr, write_header, log_wandb):
    rowd = OrderedDict(epoch=epoch)
    rowd.update([("train_" + name, value) for name, value in train_metrics.items()])
    rowd.update([("eval_" + name, value) for name, value in eval_metrics.items()])
    rowd["lr"] = lr
    if log_wandb:
        wandb.log(rowd, step=epoch)
    with open(filename, mode="a") as file:
        writer = csv.DictWriter(file, fieldnames=rowd.keys())
        if write_header:
            writer.writeheader()
        writer.writerow(rowd)


def main():
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    if args.log_wandb:
        if has_wandb:
            wandb.init(
                project="timm", name=args.experiment, config=args, tags=args.wandb_tags, resume=None
            )
        else:
            print("You've requested to log metrics to wandb but package not found.")
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(128, 2),
    )
    generator = torch.Generator().manual_seed(args.seed)
    loader_train, loader_eval = make_data(512, generator), make_data(256, generator)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=args.lr,
        momentum=args.betas[0],
        weight_decay=args.weight_decay,
        nesterov=True,
    )
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    train_loss = nn.CrossEntropyLoss(label_smoothing=args.smoothing)
    eval_loss = nn.CrossEntropyLoss()
    os.makedirs(args.output, exist_ok=True)
    best_metric, best_epoch = None, None
    for epoch in range(args.epochs):
        train_metrics = train_one_epoch(model, loader_train, optimizer, train_loss)
        eval_metrics = validate(model, loader_eval, eval_loss)
        update_summary(
            epoch,
            train_metrics,
            eval_metrics,
            filename=os.path.join(args.output, "summary.csv"),
            lr=sum(group["lr"] for group in optimizer.param_groups),
            write_header=best_metric is None,
            log_wandb=args.log_wandb and has_wandb,
        )
        if best_metric is None or eval_metrics["top1"] > best_metric:
            best_metric, best_epoch = eval_metrics["top1"], epoch
        scheduler.step()
    print(f"*** Best metric: {best_metric} (epoch {best_epoch})")


if __name__ == "__main__":
    main()
