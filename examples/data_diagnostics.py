"""Finds mislabelled data in scikit-learn's digits by watching the losses of single batches.

A softmax classifier is trained in numpy. Four batches come from a "shard" whose labels were
shifted by one, as happens when two files are joined wrongly. Nobody tells the model; the hard
batches of the later epochs do. Try ``python examples/data_diagnostics.py --epochs 8``.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits

from quark import (
    ArtifactStore,
    DataDiagnostics,
    DataDiagnosticsConfig,
    MappingBatchMetadataAdapter,
    TrainingSession,
)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.5)
    parser.add_argument("--storage-dir", default=None, help="where runs are kept")
    return parser.parse_args()


def make_batches(batch_size):
    """The digits in a fixed order, cut into batches; four of them with wrong labels."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order] / 16.0, labels[order].copy()
    broken = range(20 * batch_size, 24 * batch_size)
    labels[broken.start : broken.stop] = (labels[broken.start : broken.stop] + 1) % 10
    batches = [
        {
            "images": images[start : start + batch_size],
            "labels": labels[start : start + batch_size],
            "sample_ids": order[start : start + batch_size],
        }
        for start in range(0, len(images), batch_size)
    ]
    return batches, set(order[broken.start : broken.stop].tolist())


def train_step(weights, batch, lr):
    """One step of softmax regression; returns the loss before it."""
    inputs = np.hstack([batch["images"], np.ones((len(batch["images"]), 1))])
    logits = inputs @ weights
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = np.arange(len(inputs))
    loss = -np.log(probabilities[rows, batch["labels"]] + 1e-12).mean()
    probabilities[rows, batch["labels"]] -= 1.0
    weights -= lr * inputs.T @ probabilities / len(inputs)
    return loss


def main():
    args = parse_args()
    batches, mislabelled = make_batches(args.batch_size)
    weights = np.zeros((65, 10))
    adapter = MappingBatchMetadataAdapter(sample_id_key="sample_ids", label_key="labels")

    with (
        TrainingSession.start_run(
            project="digits-data",
            config={"lr": args.lr, "batch_size": args.batch_size, "epochs": args.epochs},
            storage_dir=args.storage_dir,
        ) as session,
        DataDiagnostics(session, config=DataDiagnosticsConfig(adapter=adapter)) as diagnostics,
        ArtifactStore(session) as artifacts,
    ):
        for epoch in range(args.epochs):
            shuffled = np.random.default_rng(epoch).permutation(len(batches))
            for place, index in enumerate(shuffled):
                step = epoch * len(batches) + place
                loss = train_step(weights, batches[index], args.lr)
                diagnostics.log_batch(loss, step=step, epoch=epoch, batch=batches[index])

        # Losses fall from epoch to epoch: compare like with like.
        last = args.epochs - 1
        summary = diagnostics.summarize(epoch=last, hard_batch_limit=4)
        losses = summary.loss_summary
        print(f"epoch {last}: {losses.count} batches, median loss {losses.median:.3f}")
        for finding in summary.hard_batches:
            suspects = {int(sample_id) for sample_id in finding.sample_ids}
            rules = ", ".join(reason.rule for reason in finding.reasons)
            print(
                f"  hard batch {finding.rank}: step {finding.step}, loss {finding.loss:.3f}, "
                f"{len(suspects & mislabelled)} of {len(suspects)} mislabelled ({rules})"
            )
        exposure = diagnostics.summarize_exposure()
        print(
            f"{exposure.distinct_sample_count} samples, class imbalance "
            f"{exposure.imbalance_ratio:.2f}, every epoch saw "
            f"{min(seen.coverage_ratio for seen in exposure.epochs):.0%} of them"
        )
        record = artifacts.log_snapshot("last_epoch", summary.to_dict(), epoch=last)
        print(f"kept as {record.payload_relative_path}")


if __name__ == "__main__":
    main()
