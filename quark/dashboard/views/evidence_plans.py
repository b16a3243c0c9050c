"""Which numbers an alert of each rule is about, where its evidence does not name a metric."""

from __future__ import annotations

from typing import NamedTuple


class Plan(NamedTuple):
    """What is drawn for the alerts of a rule.

    ``layer`` and ``parameter`` are the fields that are drawn of a layer or parameter that the
    evidence names; ``loop``, ``telemetry`` and ``batch`` are fields of the run's records, those of
    one chart together. ``times``: the time of a step.
    """

    layer: str = "norm"
    summary: str = "activation"
    parameter: str = "value_norm"
    loop: tuple[tuple[str, ...], ...] = ()
    telemetry: tuple[tuple[str, ...], ...] = ()
    batch: tuple[str, ...] = ()
    times: bool = False
    log: bool = False


#: Rules whose evidence names the metrics that they are about.
METRICS = Plan()
_GRADIENTS = Plan(layer="norm", summary="gradient", parameter="gradient_norm", log=True)
_GPU = ("gpu_utilization_percent",)

PLANS: dict[str, Plan] = {
    "non_finite_values": Plan(layer="norm", parameter="value_norm", log=True),
    "amp_scale_collapse": METRICS,
    "missing_zero_grad": Plan(loop=(("stale_gradient_norm", "backward_gradient_norm"),)),
    "step_without_backward": Plan(
        loop=(("unfed_step_count", "optimizer_step_count"), ("step_gradient_norm",))
    ),
    "parameters_outside_optimizer": Plan(loop=(("outside_change_norm", "sampled_change_norm"),)),
    "loss_sign": Plan(loop=(("loss_direction",),)),
    "softmax_before_loss": Plan(loop=(("probability_row_ratio",), ("output_min", "output_max"))),
    "loss_reduction": Plan(loop=(("loss_row_scale",),)),
    "accumulation_unscaled": Plan(loop=(("window_backward_count",), ("loss_row_scale",))),
    "momentum_extreme": Plan(loop=(("step_gradient_norm",),)),
    "clipping_always_active": Plan(loop=(("backward_gradient_norm", "step_gradient_norm"),)),
    "unscaled_inputs": Plan(loop=(("input_min", "input_mean", "input_max"), ("input_std",))),
    "training_in_eval_mode": Plan(loop=(("eval_mode_forward_count", "forward_count"),)),
    "unshuffled_data": Plan(loop=(("top_target_ratio",), ("distinct_target_count",))),
    "loss_scale": METRICS,
    "learning_rate_zero": METRICS,
    "learning_rate_schedule": METRICS,
    "learning_rate_too_high": METRICS,
    "learning_rate_too_low": METRICS,
    "loss_divergence": METRICS,
    "loss_not_decreasing": METRICS,
    "oscillating_loss": METRICS,
    "loss_spike": METRICS,
    "gradient_norm_spike": METRICS,
    "poor_initialization": Plan(layer="norm", parameter="value_std", log=True),
    "parameters_all_zero": Plan(parameter="value_norm"),
    "exploding_gradients": _GRADIENTS,
    "diverging_weights": Plan(layer="norm", parameter="value_norm", log=True),
    "vanishing_gradients": _GRADIENTS,
    "stagnant_layers": _GRADIENTS,
    "parameters_without_gradient": Plan(parameter="gradient_norm"),
    "parameters_unchanged": Plan(parameter="value_norm"),
    "update_ratio": Plan(parameter="update_to_value_ratio", log=True),
    "hard_batches": Plan(batch=("loss",)),
    "rank_divergence": METRICS,
    "collapsed_predictions": Plan(loop=(("top_prediction_ratio", "top_target_ratio"),)),
    "activation_collapse": Plan(layer="dead_unit_ratio"),
    "evaluation_in_train_mode": Plan(
        loop=(("train_mode_no_grad_forward_count", "no_grad_forward_count"),)
    ),
    "class_imbalance": Plan(loop=(("top_target_ratio",),)),
    "class_missing": Plan(loop=(("distinct_target_count",),)),
    "validation_leak": Plan(loop=(("evaluation_seen_row_count", "evaluation_row_count"),)),
    "duplicate_inputs": Plan(loop=(("duplicate_row_ratio",),)),
    "padded_inputs": Plan(loop=(("padding_ratio",),)),
    "validation_bad_from_start": METRICS,
    "overfitting_onset": METRICS,
    "generalization_gap": METRICS,
    "overtraining": METRICS,
    "validation_better_than_training": METRICS,
    "accuracy_at_chance": METRICS,
    "duplicate_samples": Plan(batch=("loss",)),
    "padding_waste": Plan(batch=("batch_size",)),
    "runtime_bottleneck_risk": Plan(times=True),
    "data_loading_bottleneck": Plan(times=True, loop=(("data_seconds", "step_seconds"),)),
    "step_time_outliers": Plan(times=True),
    "slow_start": Plan(times=True),
    "stalled_training": Plan(times=True),
    "rank_straggler": Plan(times=True),
    "low_gpu_utilization": Plan(telemetry=(_GPU,)),
    "cpu_bottleneck": Plan(telemetry=(("cpu_usage_percent", *_GPU),)),
    "io_bottleneck": Plan(telemetry=(("process_cpu_percent", *_GPU),)),
    "memory_growth": Plan(telemetry=(("gpu_memory_used_bytes",), ("process_rss_bytes",))),
    "throttling": Plan(telemetry=(_GPU,)),
    "records_lost": METRICS,
    "run_interrupted": METRICS,
}

#: What fields of records are called on a page, and the unit behind it.
WORDS: dict[str, tuple[str, str]] = {
    "stale_gradient_norm": ("gradient that lay there before", ""),
    "backward_gradient_norm": ("gradient after the backward pass", ""),
    "step_gradient_norm": ("gradient when the optimizer stepped", ""),
    "unfed_step_count": ("steps without a gradient", ""),
    "optimizer_step_count": ("optimizer steps", ""),
    "outside_change_norm": ("change of a parameter in no optimizer", ""),
    "sampled_change_norm": ("change of a parameter in the optimizer", ""),
    "loss_direction": ("direction of the loss (−1: negated)", ""),
    "probability_row_ratio": ("outputs that are probabilities already", "share"),
    "output_min": ("least output", ""),
    "output_max": ("largest output", ""),
    "loss_row_scale": ("weight of one row in the loss", ""),
    "window_backward_count": ("backward passes in a step", ""),
    "input_min": ("least input", ""),
    "input_mean": ("mean input", ""),
    "input_max": ("largest input", ""),
    "input_std": ("standard deviation of the input", ""),
    "eval_mode_forward_count": ("passes in evaluation mode", ""),
    "forward_count": ("training passes", ""),
    "train_mode_no_grad_forward_count": ("evaluation passes in training mode", ""),
    "no_grad_forward_count": ("evaluation passes", ""),
    "top_target_ratio": ("most frequent class among the targets", "share"),
    "top_prediction_ratio": ("most frequent answer", "share"),
    "distinct_target_count": ("different classes in a batch", ""),
    "evaluation_seen_row_count": ("evaluated rows that were trained on", ""),
    "evaluation_row_count": ("evaluated rows", ""),
    "duplicate_row_ratio": ("rows that were seen before", "share"),
    "padding_ratio": ("padding", "share"),
    "data_seconds": ("waiting for data", "s"),
    "step_seconds": ("steps", "s"),
    "gpu_utilization_percent": ("use of the GPU", "%"),
    "cpu_usage_percent": ("use of the processor", "%"),
    "process_cpu_percent": ("use of the processor by the training", "%"),
    "gpu_memory_used_bytes": ("memory of the GPU", "bytes"),
    "process_rss_bytes": ("memory of the training", "bytes"),
    "loss": ("loss of batches", ""),
    "batch_size": ("size of batches", ""),
    "norm": ("norm", ""),
    "std": ("standard deviation", ""),
    "mean": ("mean", ""),
    "dead_unit_ratio": ("dead units", "share"),
    "saturation_ratio": ("saturated units", "share"),
    "value_norm": ("norm", ""),
    "value_std": ("standard deviation", ""),
    "gradient_norm": ("gradient norm", ""),
    "update_to_value_ratio": ("update ratio", ""),
}
