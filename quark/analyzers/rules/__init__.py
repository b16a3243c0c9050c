"""Every rule: a file here, a line in :data:`RULES`, a row in docs/rules.md.

Where two rules explain each other, the one that comes first is the cause.
"""

from __future__ import annotations

from quark.analyzers.rule import Rule
from quark.analyzers.rules.accumulation_unscaled import RULE as ACCUMULATION_UNSCALED
from quark.analyzers.rules.accuracy_at_chance import RULE as ACCURACY_AT_CHANCE
from quark.analyzers.rules.activation_collapse import RULE as ACTIVATION_COLLAPSE
from quark.analyzers.rules.amp_scale_collapse import RULE as AMP_SCALE_COLLAPSE
from quark.analyzers.rules.class_imbalance import RULE as CLASS_IMBALANCE
from quark.analyzers.rules.class_missing import RULE as CLASS_MISSING
from quark.analyzers.rules.clipping_always_active import RULE as CLIPPING_ALWAYS_ACTIVE
from quark.analyzers.rules.collapsed_predictions import RULE as COLLAPSED_PREDICTIONS
from quark.analyzers.rules.cpu_bottleneck import RULE as CPU_BOTTLENECK
from quark.analyzers.rules.data_loading_bottleneck import RULE as DATA_LOADING_BOTTLENECK
from quark.analyzers.rules.diverging_weights import RULE as DIVERGING_WEIGHTS
from quark.analyzers.rules.duplicate_inputs import RULE as DUPLICATE_INPUTS
from quark.analyzers.rules.duplicate_samples import RULE as DUPLICATE_SAMPLES
from quark.analyzers.rules.evaluation_in_train_mode import RULE as EVALUATION_IN_TRAIN_MODE
from quark.analyzers.rules.exploding_gradients import RULE as EXPLODING_GRADIENTS
from quark.analyzers.rules.generalization_gap import RULE as GENERALIZATION_GAP
from quark.analyzers.rules.gradient_norm_spike import RULE as GRADIENT_NORM_SPIKE
from quark.analyzers.rules.hard_batches import RULE as HARD_BATCHES
from quark.analyzers.rules.io_bottleneck import RULE as IO_BOTTLENECK
from quark.analyzers.rules.learning_rate_schedule import RULE as LEARNING_RATE_SCHEDULE
from quark.analyzers.rules.learning_rate_too_high import RULE as LEARNING_RATE_TOO_HIGH
from quark.analyzers.rules.learning_rate_too_low import RULE as LEARNING_RATE_TOO_LOW
from quark.analyzers.rules.learning_rate_zero import RULE as LEARNING_RATE_ZERO
from quark.analyzers.rules.loss_divergence import RULE as LOSS_DIVERGENCE
from quark.analyzers.rules.loss_not_decreasing import RULE as LOSS_NOT_DECREASING
from quark.analyzers.rules.loss_reduction import RULE as LOSS_REDUCTION
from quark.analyzers.rules.loss_scale import RULE as LOSS_SCALE
from quark.analyzers.rules.loss_sign import RULE as LOSS_SIGN
from quark.analyzers.rules.loss_spike import RULE as LOSS_SPIKE
from quark.analyzers.rules.low_gpu_utilization import RULE as LOW_GPU_UTILIZATION
from quark.analyzers.rules.memory_growth import RULE as MEMORY_GROWTH
from quark.analyzers.rules.missing_zero_grad import RULE as MISSING_ZERO_GRAD
from quark.analyzers.rules.momentum_extreme import RULE as MOMENTUM_EXTREME
from quark.analyzers.rules.non_finite_values import RULE as NON_FINITE_VALUES
from quark.analyzers.rules.oscillating_loss import RULE as OSCILLATING_LOSS
from quark.analyzers.rules.overfitting_onset import RULE as OVERFITTING_ONSET
from quark.analyzers.rules.overtraining import RULE as OVERTRAINING
from quark.analyzers.rules.padded_inputs import RULE as PADDED_INPUTS
from quark.analyzers.rules.padding_waste import RULE as PADDING_WASTE
from quark.analyzers.rules.parameters_all_zero import RULE as PARAMETERS_ALL_ZERO
from quark.analyzers.rules.parameters_outside_optimizer import RULE as PARAMETERS_OUTSIDE_OPTIMIZER
from quark.analyzers.rules.parameters_unchanged import RULE as PARAMETERS_UNCHANGED
from quark.analyzers.rules.parameters_without_gradient import RULE as PARAMETERS_WITHOUT_GRADIENT
from quark.analyzers.rules.poor_initialization import RULE as POOR_INITIALIZATION
from quark.analyzers.rules.rank_divergence import RULE as RANK_DIVERGENCE
from quark.analyzers.rules.rank_straggler import RULE as RANK_STRAGGLER
from quark.analyzers.rules.records_lost import RULE as RECORDS_LOST
from quark.analyzers.rules.run_interrupted import RULE as RUN_INTERRUPTED
from quark.analyzers.rules.runtime_bottleneck_risk import RULE as RUNTIME_BOTTLENECK_RISK
from quark.analyzers.rules.slow_start import RULE as SLOW_START
from quark.analyzers.rules.softmax_before_loss import RULE as SOFTMAX_BEFORE_LOSS
from quark.analyzers.rules.stagnant_layers import RULE as STAGNANT_LAYERS
from quark.analyzers.rules.stalled_training import RULE as STALLED_TRAINING
from quark.analyzers.rules.step_time_outliers import RULE as STEP_TIME_OUTLIERS
from quark.analyzers.rules.step_without_backward import RULE as STEP_WITHOUT_BACKWARD
from quark.analyzers.rules.throttling import RULE as THROTTLING
from quark.analyzers.rules.training_in_eval_mode import RULE as TRAINING_IN_EVAL_MODE
from quark.analyzers.rules.unscaled_inputs import RULE as UNSCALED_INPUTS
from quark.analyzers.rules.unshuffled_data import RULE as UNSHUFFLED_DATA
from quark.analyzers.rules.update_ratio import RULE as UPDATE_RATIO
from quark.analyzers.rules.validation_bad_from_start import RULE as VALIDATION_BAD_FROM_START
from quark.analyzers.rules.validation_better_than_training import (
    RULE as VALIDATION_BETTER_THAN_TRAINING,
)
from quark.analyzers.rules.validation_leak import RULE as VALIDATION_LEAK
from quark.analyzers.rules.vanishing_gradients import RULE as VANISHING_GRADIENTS

RULES: tuple[Rule, ...] = (
    NON_FINITE_VALUES,
    AMP_SCALE_COLLAPSE,
    MISSING_ZERO_GRAD,
    STEP_WITHOUT_BACKWARD,
    PARAMETERS_OUTSIDE_OPTIMIZER,
    LOSS_SIGN,
    SOFTMAX_BEFORE_LOSS,
    LOSS_REDUCTION,
    ACCUMULATION_UNSCALED,
    MOMENTUM_EXTREME,
    CLIPPING_ALWAYS_ACTIVE,
    UNSCALED_INPUTS,
    TRAINING_IN_EVAL_MODE,
    EVALUATION_IN_TRAIN_MODE,
    UNSHUFFLED_DATA,
    CLASS_IMBALANCE,
    CLASS_MISSING,
    PADDED_INPUTS,
    VALIDATION_LEAK,
    DUPLICATE_INPUTS,
    COLLAPSED_PREDICTIONS,
    LOSS_SCALE,
    LEARNING_RATE_ZERO,
    LEARNING_RATE_SCHEDULE,
    LEARNING_RATE_TOO_HIGH,
    LEARNING_RATE_TOO_LOW,
    LOSS_DIVERGENCE,
    LOSS_NOT_DECREASING,
    OSCILLATING_LOSS,
    LOSS_SPIKE,
    GRADIENT_NORM_SPIKE,
    POOR_INITIALIZATION,
    PARAMETERS_ALL_ZERO,
    EXPLODING_GRADIENTS,
    DIVERGING_WEIGHTS,
    ACTIVATION_COLLAPSE,
    VANISHING_GRADIENTS,
    STAGNANT_LAYERS,
    PARAMETERS_WITHOUT_GRADIENT,
    PARAMETERS_UNCHANGED,
    UPDATE_RATIO,
    VALIDATION_BAD_FROM_START,
    OVERFITTING_ONSET,
    GENERALIZATION_GAP,
    OVERTRAINING,
    VALIDATION_BETTER_THAN_TRAINING,
    ACCURACY_AT_CHANCE,
    HARD_BATCHES,
    DUPLICATE_SAMPLES,
    PADDING_WASTE,
    RECORDS_LOST,
    STALLED_TRAINING,
    MEMORY_GROWTH,
    RUN_INTERRUPTED,
    THROTTLING,
    RUNTIME_BOTTLENECK_RISK,
    DATA_LOADING_BOTTLENECK,
    CPU_BOTTLENECK,
    IO_BOTTLENECK,
    SLOW_START,
    STEP_TIME_OUTLIERS,
    LOW_GPU_UTILIZATION,
    RANK_STRAGGLER,
    RANK_DIVERGENCE,
)

BY_ID = {rule.rule_id: rule for rule in RULES}
