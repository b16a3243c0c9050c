"""Healthy trainings of every kind: whatever a rule says of them is a false alarm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.faults.options import Plan
from benchmarks.faults.tasks import TASKS

#: What is done differently, and not wrongly, from a task's plain run.
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sgd": {"optimizer": "sgd"},
    "sgd-plain": {"optimizer": "sgd", "momentum": 0.0},
    "adam": {"optimizer": "adam"},
    "adamw-decay": {"optimizer": "adamw", "weight_decay": 0.05},
    "rmsprop": {"optimizer": "rmsprop"},
    "cosine": {"schedule": "cosine", "schedule_per_batch": True},
    "cosine-epochs": {"schedule": "cosine"},
    "steps": {"schedule": "step"},
    "warmup": {"schedule": "warmup", "schedule_per_batch": True},
    "dropout": {"dropout": 0.3, "steps": 500},
    "batch-8": {"batch_size": 8, "lr_factor": 0.4, "steps": 600},
    "batch-256": {"batch_size": 256, "steps": 150},
    "accumulation": {"accumulate": 4, "batch_size": 16, "steps": 600},
    "clipped": {"clip_norm": 1.0},
    "long": {"steps": 600, "schedule": "cosine", "schedule_per_batch": True},
    "short": {"steps": 60},
    "rare-evaluation": {"eval_every_epochs": 3, "steps": 500},
    "small-steps": {"lr_factor": 0.3, "steps": 600},
    "finetuned": {"pretrained": True, "lr_factor": 0.2, "steps": 200},
    "slow-steps": {"step_floor_ms": 6, "steps": 250},
    "amp": {"numerics": "amp_fine", "onset_ratio": 0.02},
    "two-ranks": {"ranks": 2, "steps": 200},
}

#: What makes sense for some tasks only.
SPECIAL: dict[str, dict[str, dict[str, Any]]] = {
    "digits-mlp": {
        "augmented": {"augmentation_noise": 0.15},
        "smoothed": {"label_smoothing": 0.1},
        "noisy-labels": {"label_noise_ratio": 0.05, "dropout": 0.2},
        "small-regularised": {
            "train_ratio": 0.3,
            "dropout": 0.3,
            "optimizer": "adamw",
            "weight_decay": 0.1,
            "augmentation_noise": 0.3,
        },
        "normalised": {"normalised": True},
        "deep-residual": {
            "layers": 12,
            "residual": True,
            "normalised": True,
            "optimizer": "adam",
        },
    },
    "motifs-gru": {
        "noisy-labels": {"label_noise_ratio": 0.05},
        "smoothed": {"label_smoothing": 0.1},
    },
    "diabetes-mlp": {
        "augmented": {"augmentation_noise": 0.2},
        "large-batch": {"batch_size": 128, "steps": 400},
    },
    "brackets-encoder": {"smoothed": {"label_smoothing": 0.1}},
    "digits-cnn": {
        "normalised": {"normalised": True},
        "augmented": {"augmentation_noise": 0.2},
        "smoothed": {"label_smoothing": 0.1},
        "noisy-labels": {"label_noise_ratio": 0.05, "dropout": 0.2},
        "small-regularised": {
            "train_ratio": 0.3,
            "dropout": 0.3,
            "optimizer": "adamw",
            "weight_decay": 0.1,
            "augmentation_noise": 0.3,
        },
        "deep-residual": {
            "layers": 10,
            "residual": True,
            "normalised": True,
            "optimizer": "adam",
        },
    },
    "chains-transformer": {
        "smoothed": {"label_smoothing": 0.1},
        "wide": {"hidden": 64, "steps": 250},
    },
    "cancer-mlp": {
        "normalised": {"normalised": True},
        "smoothed": {"label_smoothing": 0.1},
        "augmented": {"augmentation_noise": 0.3},
    },
    "waves-gru": {"augmented": {"augmentation_noise": 0.1}},
}

#: A regression on 330 samples is healthy only while it is short or regularised.
SMALL = {"diabetes-mlp": 150, "cancer-mlp": 200}


def controls(task: str, half: str, arm: str, seed: int) -> Iterator[Plan]:
    """Yield the healthy runs of one task."""
    for variant, switches in {**VARIANTS, **SPECIAL.get(task, {})}.items():
        options = dict(switches)
        if options == {"optimizer": TASKS[task].optimizer}:
            continue  # the plain run once more
        if task in SMALL:
            options["steps"] = min(options.get("steps", SMALL[task]), SMALL[task])
        yield Plan(
            label="healthy",
            variant=variant,
            task=task,
            seed=seed,
            half=half,
            arm=arm,
            options=options,
        )
