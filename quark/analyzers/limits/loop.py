"""Thresholds of the rules on the order of calls in the training loop."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLimits:
    """Thresholds of the rules on the order of calls in the training loop.

    A probe is one step that was looked at. ``loop_min_probes``: fewer say nothing, to any rule.
    ``loop_probe_ratio``: in how many of the probes something has to be seen. Beside them:

    - ``missing_zero_grad_stale_ratio``: how large the gradient that lay there is, relative to that
      after the backward pass, for it to count.
    - ``step_without_backward_min_steps``, ``step_without_backward_ratio``: how many steps had no
      gradient.
    - ``outside_min_steps``: steps before a parameter counts as left out. ``outside_error_ratio``:
      share of the elements from which on that is an error.
    - ``evaluation_min_bursts``, ``evaluation_ratio``: how often, and how much of it, was in
      training mode. ``evaluation_max_burst_ratio``: more stretches per step are part of training.
    - ``eval_mode_min_forwards``, ``eval_mode_ratio``: forward passes with gradients in evaluation
      mode.
    - ``loss_scale_tolerance_ratio``: how far a row's weight may be from 1 (a sum), or from a mean.
      ``loss_reduction_min_rows``: rows of a batch from which on the two differ.
    - ``clipping_warning_ratio``, ``clipping_error_ratio``: median of gradient norms after by before
      clipping; ``clipping_adaptive_ratio`` is for optimizers that divide by the gradient's size.
      ``clipping_min_probes`` of them.
    - ``accumulation_warning_backwards``: unscaled passes that add up.
    - ``momentum_limit``, ``first_beta_limit``: of SGD, and of Adam and its like.
    - ``input_max``, ``input_std``: both have to be passed.
    - ``padding_warning_ratio``, ``padding_error_ratio``: median share of padding in a batch.
    - ``duplicate_row_ratio``: median share of rows that a batch holds already.
      ``duplicate_min_levels``, ``duplicate_min_columns``: values and columns of a row, below which
      rows are alike by chance.
    - ``collapsed_top_ratio``: share of the predictions that one class gets, in the last
      ``collapsed_min_probes`` over ``collapsed_min_steps``; ``collapsed_target_ratio``: share of
      the targets above which that is right.
    - ``imbalance_ratio``, ``imbalance_min_targets``: how many times as frequent the most frequent
      class is as the rarest, over how many targets. ``imbalance_top_ratio``,
      ``imbalance_top_min_targets``: share of one class that is enough, over fewer targets.
    - ``missing_min_targets``, ``missing_min_each``: targets in all, and of each class that
      is there. ``missing_max_ratio``: if more of the classes are missing, the output is just wider.
    - ``unshuffled_min_probes``, ``unshuffled_distinct_ratio``, ``unshuffled_top_ratio``: classes in
      a batch relative to those expected, and the share of its most frequent one.
    - ``leak_min_rows``, ``leak_row_ratio``: evaluated rows, and the share of them, that training
      had shown before, in ``leak_min_pass_ratio`` of at least ``leak_min_passes`` passes.
    """

    loop_min_probes: int = 3
    loop_probe_ratio: float = 0.9
    missing_zero_grad_stale_ratio: float = 0.01
    step_without_backward_min_steps: int = 5
    step_without_backward_ratio: float = 0.6
    outside_min_steps: int = 10
    outside_error_ratio: float = 0.5
    evaluation_min_bursts: int = 2
    evaluation_ratio: float = 0.8
    evaluation_max_burst_ratio: float = 0.34
    eval_mode_min_forwards: int = 20
    eval_mode_ratio: float = 0.9
    loss_scale_tolerance_ratio: float = 0.02
    loss_reduction_min_rows: int = 8
    clipping_min_probes: int = 6
    clipping_warning_ratio: float = 0.1
    clipping_error_ratio: float = 0.01
    clipping_adaptive_ratio: float = 0.02
    accumulation_warning_backwards: int = 4
    momentum_limit: float = 0.995
    first_beta_limit: float = 0.99
    input_max: float = 100.0
    input_std: float = 30.0
    padding_warning_ratio: float = 0.75
    padding_error_ratio: float = 0.9
    duplicate_row_ratio: float = 0.3
    duplicate_min_levels: int = 4
    duplicate_min_columns: int = 4
    collapsed_top_ratio: float = 0.95
    collapsed_min_probes: int = 8
    collapsed_min_steps: int = 60
    collapsed_target_ratio: float = 0.7
    imbalance_ratio: float = 50.0
    imbalance_min_targets: int = 500
    imbalance_top_ratio: float = 0.95
    imbalance_top_min_targets: int = 200
    missing_min_targets: int = 200
    missing_min_each: int = 12
    missing_max_ratio: float = 0.25
    unshuffled_min_probes: int = 5
    unshuffled_distinct_ratio: float = 0.5
    unshuffled_top_ratio: float = 0.6
    leak_min_rows: int = 8
    leak_row_ratio: float = 0.15
    leak_min_passes: int = 2
    leak_min_pass_ratio: float = 0.9

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)])
