"""A training with three switches, each of which breaks it; Quark says what is wrong.

``python examples/broken_training.py`` is healthy. Try ``--high-lr`` (a learning rate 100 times too
high), ``--dead-relu`` (biases from which no unit ever wakes up) and ``--no-zero-grad`` (gradients
that are never set to zero), alone or together. Nothing in the script looks for faults: the report
at the end does.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import quark.compat.wandb as wandb


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--high-lr", action="store_true", help="a learning rate 100 times too high")
    parser.add_argument("--dead-relu", action="store_true", help="biases of -10 before a ReLU")
    parser.add_argument("--no-zero-grad", action="store_true", help="never set gradients to zero")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--storage-dir", default=None, help="where runs are kept")
    return parser.parse_args()


def load_data():
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16.0, labels, test_size=0.25, random_state=0)
    train_x, val_x = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    train_y, val_y = (torch.tensor(part) for part in parts[2:])
    return train_x, train_y, val_x, val_y


def main():
    args = parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    lr = 10.0 if args.high_lr else 0.1

    wandb.init(
        project="broken",
        dir=args.storage_dir,
        config={"lr": lr, "dead_relu": args.dead_relu, "zero_grad": not args.no_zero_grad},
    )
    train_x, train_y, val_x, val_y = load_data()
    model = nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    if args.dead_relu:
        nn.init.constant_(model[2].bias, -10.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    criterion = nn.CrossEntropyLoss()
    wandb.watch(model, criterion, log="all", log_freq=10)

    for epoch in range(args.epochs):
        model.train()
        for batch in torch.randperm(len(train_x)).split(64):
            if not args.no_zero_grad:
                optimizer.zero_grad()
            loss = criterion(model(train_x[batch]), train_y[batch])
            loss.backward()
            optimizer.step()
            wandb.log({"train/loss": loss.item(), "lr": lr})
        model.eval()
        with torch.no_grad():
            logits = model(val_x)
        wandb.log(
            {
                "epoch": epoch,
                "val/loss": criterion(logits, val_y).item(),
                "val/accuracy": (logits.argmax(dim=1) == val_y).float().mean().item(),
            }
        )
    wandb.finish()


if __name__ == "__main__":
    main()
