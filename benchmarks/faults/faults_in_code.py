"""Faults of the script: its optimizer, its loss, its model, its numbers."""

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
    REP,
    TWO,
    UNCHANGED,
    VECTORS,
    Family,
    Fault,
)

_optimisation = Family(name="optimisation").fault
_loss = Family(name="loss and output").fault
_model = Family(name="activation and initialisation").fault
_numerics = Family(name="numerics").fault

TOO_MUCH = (*BLOWN_UP, *NO_LEARNING)
TOO_LITTLE = ("learning_rate_too_low", "update_ratio", *NO_LEARNING)
NUMBERS = ("non_finite_values",)

OPTIMISATION: tuple[Fault, ...] = (
    _optimisation("lr_x10", MANY, TOO_MUCH, OPT, lr_factor=10),
    _optimisation("lr_x100", MANY, (*TOO_MUCH, *DEAD_MODEL), OPT, lr_factor=100),
    _optimisation("lr_div1000", MANY, (*TOO_LITTLE, "parameters_unchanged"), OPT, lr_factor=0.001),
    _optimisation("lr_zero", MANY, ("learning_rate_zero", *UNCHANGED), OPT, lr_factor=0),
    _optimisation(
        "momentum_0999",
        TWO,
        ("momentum_extreme", *TOO_MUCH),
        OPT,
        optimizer="sgd",
        momentum=0.999,
        lr_factor=2.0,
    ),
    _optimisation(
        "missing_zero_grad",
        MANY,
        ("missing_zero_grad", *TOO_MUCH),
        OPT,
        zeroes_gradients=False,
    ),
    _optimisation(
        "step_before_backward",
        MANY,
        ("step_without_backward", *UNCHANGED),
        OPT,
        steps_first=True,
    ),
    _optimisation(
        "optimizer_over_copy",
        MANY,
        ("parameters_outside_optimizer", "missing_zero_grad", *UNCHANGED),
        OPT,
        optimizer_over="copy",
    ),
    _optimisation(
        "optimizer_over_head",
        MANY,
        ("parameters_outside_optimizer", "parameters_unchanged", "stagnant_layers"),
        OPT,
        by_metrics=False,
        optimizer_over="head",
    ),
    _optimisation(
        "schedule_per_batch",
        MANY,
        ("learning_rate_schedule", "learning_rate_zero", *TOO_LITTLE),
        OPT,
        schedule="exponential",
        schedule_per_batch=True,
    ),
    _optimisation(
        "clipping_tight",
        MANY,
        ("clipping_always_active", *TOO_LITTLE),
        OPT,
        optimizer="sgd",
        clip_norm=1e-3,
    ),
    _optimisation(
        "accumulation_unscaled",
        TWO,
        ("accumulation_unscaled", *TOO_MUCH),
        OPT,
        optimizer="sgd",
        accumulate=8,
        accumulation_scaled=False,
        lr_factor=2,
    ),
)

LOSS: tuple[Fault, ...] = (
    _loss(
        "softmax_twice",
        LIKELIHOODS,
        ("softmax_before_loss", *NO_LEARNING),
        OPT,
        by_metrics=False,
        softmax_twice=True,
    ),
    _loss(
        "reduction_sum",
        MANY,
        ("loss_reduction", "loss_scale", *TOO_MUCH),
        OPT,
        reduction="sum",
        optimizer="sgd",
    ),
    _loss(
        "targets_shifted",
        LIKELIHOODS,
        (*BAD_VALIDATION, "overtraining", "accuracy_at_chance"),
        GEN,
        target_shift=1,
    ),
    _loss(
        "targets_mispaired",
        (*CLASSES, "waves-gru", "diabetes-mlp"),
        (*BAD_VALIDATION, *NO_LEARNING, "overtraining"),
        GEN,
        pairing_shift=1,
    ),
    _loss("loss_negated", MANY, ("loss_sign", *TOO_MUCH, *BAD_VALIDATION), OPT, negated=True),
    _loss(
        "log_forgotten",
        LIKELIHOODS,
        ("softmax_before_loss", "loss_sign", "loss_scale"),
        OPT,
        log_forgotten=True,
    ),
)

DEAD = (*DEAD_MODEL, *NO_LEARNING)
MODEL: tuple[Fault, ...] = (
    _model("saturating_layers", VECTORS, DEAD, (OPT, REP), layers=14, activation="sigmoid"),
    _model("dead_relu", VECTORS, DEAD, REP, init="dead", activation="relu"),
    _model(
        "init_zero",
        MANY,
        (*DEAD, "parameters_all_zero", "parameters_unchanged"),
        OPT,
        init="zero",
    ),
    _model("init_constant", MANY, DEAD, OPT, by_metrics=False, init="constant"),
    _model("init_x100", MANY, (*DEAD, *BLOWN_UP, "loss_scale"), OPT, init="x100"),
    _model(
        "no_normalisation",
        VECTORS,
        (*DEAD, "exploding_gradients"),
        OPT,
        layers=20,
        activation="relu",
    ),
    _model(
        "no_residual", VECTORS, (*DEAD, "exploding_gradients"), OPT, layers=30, activation="tanh"
    ),
)

NUMERICS: tuple[Fault, ...] = (
    _numerics("overflow", MANY, NUMBERS, OPT, numerical=True, numerics="overflow"),
    _numerics("log_of_zero", MANY, NUMBERS, OPT, numerical=True, numerics="log_zero"),
    _numerics("division_by_zero", MANY, NUMBERS, OPT, numerical=True, numerics="zero_division"),
    _numerics("nan_sample", FLOATS, NUMBERS, OPT, numerical=True, numerics="nan_sample"),
    _numerics(
        "scale_backing_off",
        MANY,
        ("amp_scale_collapse", *NUMBERS),
        OPT,
        numerical=True,
        numerics="amp",
    ),
)
