"""Faults of the data and of what is made of it."""

from __future__ import annotations

from benchmarks.faults.fault import (
    BAD_VALIDATION,
    BLOWN_UP,
    CLASSES,
    DEAD_MODEL,
    FLOATS,
    GEN,
    LIKELIHOODS,
    MANY,
    NO_LEARNING,
    OPT,
    OVERFITTED,
    RUN,
    TOKENS,
    Family,
    Fault,
)

_data = Family(name="data").fault
_generalisation = Family(name="generalisation").fault

DATA: tuple[Fault, ...] = (
    _data(
        "labels_shuffled",
        (*LIKELIHOODS, "diabetes-mlp"),
        (*BAD_VALIDATION, *NO_LEARNING, "overtraining"),
        GEN,
        label_noise_ratio=1.0,
    ),
    _data(
        "labels_half_shuffled",
        CLASSES,
        (*OVERFITTED, *NO_LEARNING, "validation_better_than_training"),
        GEN,
        label_noise_ratio=0.5,
    ),
    _data(
        "inputs_unscaled",
        FLOATS,
        ("unscaled_inputs", *DEAD_MODEL, *BLOWN_UP),
        OPT,
        by_metrics=False,
        input_scale=255.0,
    ),
    _data(
        "class_removed",
        CLASSES,
        ("class_missing", *BAD_VALIDATION),
        GEN,
        by_metrics=False,
        removed_class=1,
    ),
    _data(
        "imbalance_100",
        CLASSES,
        ("class_imbalance", "collapsed_predictions", "class_missing", *BAD_VALIDATION),
        GEN,
        by_metrics=False,
        imbalance=100,
    ),
    _data(
        "not_shuffled",
        CLASSES,
        ("unshuffled_data", "oscillating_loss", "loss_spike", *BAD_VALIDATION, *NO_LEARNING),
        OPT,
        shuffled=False,
    ),
    _data(
        "leakage",
        MANY,
        ("validation_leak", "duplicate_inputs", "validation_better_than_training"),
        GEN,
        by_metrics=False,
        leaked=True,
    ),
    _data(
        "duplicated_samples",
        MANY,
        ("duplicate_inputs", "duplicate_samples", *OVERFITTED, *BAD_VALIDATION),
        GEN,
        duplicated_ratio=0.98,
    ),
    _data(
        "padded_90",
        TOKENS,
        ("padded_inputs", "padding_waste"),
        RUN,
        by_metrics=False,
        padded_ratio=0.9,
        steps=160,
    ),
)

GENERALISATION: tuple[Fault, ...] = (
    _generalisation("tiny_training_set", MANY, OVERFITTED, GEN, train_ratio=0.01, steps=600),
    _generalisation(
        "evaluation_in_train_mode",
        MANY,
        ("evaluation_in_train_mode",),
        GEN,
        by_metrics=False,
        by_task={"waves-gru": {"dropout": 0.3}},
        dropout=0.6,
        evaluates_in_train_mode=True,
    ),
    _generalisation(
        "label_noise_overfitted",
        LIKELIHOODS,
        OVERFITTED,
        GEN,
        by_task={"motifs-gru": {"hidden": 96}, "brackets-encoder": {"hidden": 64}},
        label_noise_ratio=0.3,
        hidden=256,
        train_ratio=0.3,
        steps=600,
    ),
)
