"""Trains a small network on scikit-learn's digits; a W&B script with one changed line.

The changed line is the import; everything else is what such scripts look like. Try
``python examples/wandb_digits.py --epochs 12 --lr 3e-3``.
"""

import argparse
import os
import random

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import quark.compat.wandb as wandb  # was: import wandb


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", default="digits")
    parser.add_argument("--name", default=None)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=1e-4)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--storage-dir", default=None, help="where runs are kept")
    parser.add_argument("--checkpoint", default=None, help="go on from this file if it is there")
    parser.add_argument("--stop-after", type=int, default=None, help="epochs until preempted")
    return parser.parse_args()


def load_data(batch_size):
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    parts = train_test_split(images, labels, test_size=0.25, random_state=0, stratify=labels)
    train_x, val_x, train_y, val_y = (torch.from_numpy(part) for part in parts)
    train = DataLoader(TensorDataset(train_x, train_y.long()), batch_size, shuffle=True)
    val = DataLoader(TensorDataset(val_x, val_y.long()), 256)
    return train, val


def build_model(model_config):
    width, dropout = model_config["width"], model_config["dropout"]
    return nn.Sequential(
        nn.Linear(64, width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 10),
    )


@torch.no_grad()
def evaluate(model, loader, criterion):
    model.eval()
    loss, correct, count = 0.0, 0, 0
    for images, labels in loader:
        logits = model(images)
        loss += criterion(logits, labels).item() * len(labels)
        correct += (logits.argmax(dim=1) == labels).sum().item()
        count += len(labels)
    return loss / count, correct / count


def load_checkpoint(path):
    if path is None or not os.path.exists(path):
        return None
    return torch.load(path, weights_only=True)


def main():
    args = parse_args()
    checkpoint = load_checkpoint(args.checkpoint)
    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)

    run = wandb.init(
        project=args.project,
        name=args.name,
        dir=args.storage_dir,
        id=checkpoint["run_id"] if checkpoint else None,
        resume="must" if checkpoint else None,
        tags=["digits", "mlp"],
        config={
            "lr": args.lr,
            "weight_decay": args.weight_decay,
            "batch_size": args.batch_size,
            "epochs": args.epochs,
            "seed": args.seed,
            "model": {"kind": "mlp", "width": args.width, "dropout": args.dropout},
        },
    )
    wandb.define_metric("epoch")
    wandb.define_metric("val/*", step_metric="epoch")
    wandb.define_metric("val/loss", summary="min")
    wandb.define_metric("val/accuracy", summary="max")

    config = wandb.config
    train_loader, val_loader = load_data(config.batch_size)
    model = build_model(config.model)
    wandb.config.update(
        {"parameters": sum(p.numel() for p in model.parameters())}, allow_val_change=True
    )
    criterion = nn.CrossEntropyLoss()
    wandb.watch(model, criterion, log="all", log_freq=10)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, config.epochs * len(train_loader)
    )

    first_epoch, best_accuracy = 0, 0.0
    if checkpoint:
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        scheduler.load_state_dict(checkpoint["scheduler"])
        first_epoch, best_accuracy = checkpoint["epoch"] + 1, checkpoint["best_accuracy"]
        print(f"going on with run {run.id} at epoch {first_epoch}, step {run.step}")

    for epoch in range(first_epoch, config.epochs):
        model.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            logits = model(images)
            loss = criterion(logits, labels)
            loss.backward()
            grad_norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            scheduler.step()
            wandb.log(
                {
                    "train/loss": loss.item(),
                    "train/accuracy": (logits.argmax(dim=1) == labels).float().mean(),
                    "train/grad_norm": grad_norm,
                    "lr": scheduler.get_last_lr()[0],
                }
            )
        val_loss, val_accuracy = evaluate(model, val_loader, criterion)
        wandb.log({"epoch": epoch, "val/loss": val_loss, "val/accuracy": val_accuracy})
        print(f"epoch {epoch:2d}  loss {val_loss:.4f}  accuracy {val_accuracy:.4f}")
        if val_accuracy > best_accuracy:
            best_accuracy = val_accuracy
            wandb.run.summary["best_epoch"] = epoch
            torch.save(model.state_dict(), f"{run.dir}/best.pt")
        if args.checkpoint:
            state = {
                "run_id": run.id,
                "epoch": epoch,
                "best_accuracy": best_accuracy,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
            }
            torch.save(state, args.checkpoint)
        if args.stop_after is not None and epoch + 1 - first_epoch == args.stop_after:
            print("preempted: run the same command again to go on")
            wandb.mark_preempting()
            wandb.finish(exit_code=1)
            return

    wandb.summary["best_accuracy"] = best_accuracy
    if args.checkpoint:
        os.remove(args.checkpoint)
    wandb.finish()


if __name__ == "__main__":
    main()
