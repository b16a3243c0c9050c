"""What the training loop did around a watched model, and what one step of it showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLoopRecord(Record):
    """Calls since the record before, and one step that was looked at.

    Counts and seconds are sums since the record before of this model. ``step_seconds`` is from the
    first forward pass of a step to the end of the optimizer's step, without ``data_seconds``,
    which pass between that and the next forward pass; None where a device works on its own. What
    was looked at is of one step, None where there was nothing to be seen: the batch and what the
    model made of it are of the step's first forward pass, and sampled. Gradient norms are of one
    parameter. Ratios are 0 to 1.

    ``metadata`` has ``optimizers`` (class and group settings), ``outside`` (names of parameters in
    no optimizer), ``loss`` (the loss that the gradient gives away, see
    :mod:`quark.hooks.loss_shape`), ``criterion``, ``target_counts`` (by class), ``device``,
    ``float16``, ``grad_scaler`` and ``distributed``.
    """

    KIND: ClassVar[str] = "training_loop"
    FILTERS: ClassVar[tuple[str, ...]] = ("model_name",)

    step: int
    epoch: int | None = None
    model_name: str

    forward_count: int = 0  # with gradients
    eval_mode_forward_count: int = 0  # of these, with the model in evaluation mode
    no_grad_forward_count: int = 0
    train_mode_no_grad_forward_count: int = 0  # of these, with the model in training mode
    no_grad_burst_count: int = 0  # stretches of them with no training in between
    backward_count: int = 0
    optimizer_step_count: int = 0  # of the optimizer that trains the model
    closure_step_count: int = 0  # of these, with a closure that computes the gradients
    unfed_step_count: int = 0  # of these, where no parameter had a gradient
    foreign_step_count: int = 0  # of optimizers that hold no parameter of the model
    step_seconds: float | None = None
    data_seconds: float | None = None

    mode_module_count: int = 0  # dropout and batch normalisation
    trainable_parameter_count: int | None = None
    trainable_element_count: int | None = None
    outside_parameter_count: int | None = None  # trainable, with a gradient, in no optimizer
    outside_element_count: int | None = None
    sampled_change_norm: float | None = None  # of a parameter, since the record before
    outside_change_norm: float | None = None  # of one in no optimizer

    step_is_late: bool | None = None  # the row of the backward pass was closed before the step
    window_backward_count: int | None = None  # in the step that was looked at
    stale_gradient_norm: float | None = None  # the least that lay there before a backward pass
    backward_gradient_norm: float | None = None  # after the last backward pass
    step_gradient_norm: float | None = None  # when the optimizer's step began

    input_dimensions: int | None = None
    input_is_integer: bool | None = None
    input_row_count: int | None = None  # of the whole batch
    input_mean: float | None = None
    input_std: float | None = None
    input_min: float | None = None
    input_max: float | None = None
    input_levels: int | None = None  # different values in a sampled row, the median
    sampled_row_count: int | None = None
    sampled_column_count: int | None = None
    duplicate_row_ratio: float | None = None  # rows that were in the sample before
    padding_ratio: float | None = None

    evaluation_row_count: int | None = None  # sampled, different rows of passes without gradients
    evaluation_seen_row_count: int | None = None  # of these, in sampled training batches before
    evaluation_pass_count: int | None = None
    evaluation_unseen_pass_count: int | None = None  # of these, without any such row

    output_dimensions: int | None = None
    output_row_count: int | None = None
    output_column_count: int | None = None
    output_min: float | None = None
    output_max: float | None = None
    probability_row_ratio: float | None = None  # rows that are 0 or more and sum to 1
    top_prediction_ratio: float | None = None
    output_gradient_norm: float | None = None  # L2, of all elements
    loss_direction: float | None = None  # 1: as the loss should be; -1: negated
    loss_row_scale: float | None = None  # what one row weighs in the loss
    target_row_count: int | None = None
    distinct_target_count: int | None = None
    top_target_ratio: float | None = None

    metadata: Mapping[str, Any] = field(default_factory=dict)
