"""One run's whole life: started, tagged, logged to, failed, gone on with, read back.

Softmax regression on scikit-learn's digits, in numpy. In the third epoch the data loader fails, as
such things do; the run is then resumed where its own metrics say that it stopped.
Try ``python examples/session_lifecycle.py --storage-dir runs``.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits

from quark import EventLogger, InvalidRunStateError, MetricsLogger, TrainingSession

BATCHES_PER_EPOCH = 20
FAILS_IN_EPOCH = 2


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=0.5)
    parser.add_argument("--storage-dir", default=None, help="where runs are kept")
    return parser.parse_args()


def batches(epoch, fails):
    """Yield the digits of one epoch in random order; a loader that fails stops in the middle."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(epoch).permutation(len(images))
    for place, rows in enumerate(np.array_split(order, BATCHES_PER_EPOCH)):
        if fails and place == BATCHES_PER_EPOCH // 2:
            raise OSError("the disk with the images does not answer")
        yield np.hstack([images[rows] / 16.0, np.ones((len(rows), 1))]), labels[rows]


def train_step(weights, inputs, labels, lr):
    """One step of softmax regression; returns the loss before it."""
    logits = inputs @ weights
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = np.arange(len(inputs))
    loss = -np.log(probabilities[rows, labels] + 1e-12).mean()
    probabilities[rows, labels] -= 1.0
    weights -= lr * inputs.T @ probabilities / len(inputs)
    return loss


def train_epochs(session, weights, first_epoch, args, fails_in_epoch=None):
    """Train from ``first_epoch`` on; each whole epoch leaves a checkpoint in the run's folder."""
    checkpoint = session.run_path / "files" / "weights.npy"
    checkpoint.parent.mkdir(exist_ok=True)
    with MetricsLogger(session) as metrics, EventLogger(session) as events:
        for epoch in range(first_epoch, args.epochs):
            for place, (inputs, labels) in enumerate(batches(epoch, epoch == fails_in_epoch)):
                step = epoch * BATCHES_PER_EPOCH + place
                loss = train_step(weights, inputs, labels, args.lr)
                metrics.log("train/loss", loss, step=step, epoch=epoch)
            np.save(checkpoint, weights)
            events.log("checkpoint_saved", step=step, epoch=epoch, payload={"file": "weights.npy"})


def start_and_fail(args):
    """Start a run and lose it to an exception; return its id."""
    session = TrainingSession.start_run(
        project="digits-lifecycle",
        config={"model": "softmax", "lr": args.lr, "epochs": args.epochs},
        tags=["baseline"],
        storage_dir=args.storage_dir,
    )
    try:
        with session:
            session.add_tag("digits")
            session.add_log("Weights start at zero.", identifier="Info")
            train_epochs(session, np.zeros((65, 10)), 0, args, fails_in_epoch=FAILS_IN_EPOCH)
    except OSError as error:
        print(f"run {session.run_id} is {session.status}: {error}")
    return session.run_id


def resume(run_id, args):
    """Go on after the last whole epoch; return the session."""
    with TrainingSession.resume_run(run_id=run_id, storage_dir=args.storage_dir) as session:
        with EventLogger(session) as events:
            (saved,) = events.read(event_type="checkpoint_saved", limit=1)
        session.add_tag("recovered")
        session.add_log(f"Going on after epoch {saved.epoch}.", identifier="Info")
        weights = np.load(session.run_path / "files" / "weights.npy")
        train_epochs(session, weights, saved.epoch + 1, args)
    return session


def tell(session):
    """Read everything back from the store."""
    run = session.reload().run
    print(f"run {run.id} is {run.status}, resumed {run.resume_count} time")
    print(f"tags       {', '.join(run.tags)}")
    with EventLogger(session.context) as events, MetricsLogger(session.context) as metrics:
        for event in events.read():
            told = event.payload.get("message", "")
            print(f"  {event.severity:8s} {event.event_type:18s} {told}")
        losses = metrics.read(metric_key="train/loss")
    by_epoch = {record.epoch: record.value for record in losses}
    for epoch, loss in by_epoch.items():
        print(f"epoch {epoch}    last loss {loss:.3f}")
    print(f"{len(losses)} losses logged, of which the half epoch that failed is kept as well")


def main():
    args = parse_args()
    run_id = start_and_fail(args)
    session = resume(run_id, args)
    tell(session)
    try:
        TrainingSession.resume_run(run_id=run_id, storage_dir=args.storage_dir)
    except InvalidRunStateError as error:
        print(f"once more? {error}")


if __name__ == "__main__":
    main()
