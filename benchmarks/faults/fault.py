"""What a fault is, and the words that its descriptions share.

``rules`` are the rule ids that name the cause or a direct symptom. They were written down before
any held-out run was judged, and so was ``by_metrics``: whether the metrics that scripts log can
show the fault at all, without ``watch``. ``categories`` are those of the rules that name the cause
itself; the alert that comes first should be in one of them. Never change these to fit what was
found on held-out runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# -- where ---------------------------------------------------------------------------------------

VECTORS = ("digits-mlp", "diabetes-mlp", "digits-cnn", "cancer-mlp")
CLASSES = ("digits-mlp", "motifs-gru", "brackets-encoder", "digits-cnn", "cancer-mlp")
LIKELIHOODS = (*CLASSES, "chains-transformer")
FLOATS = (*VECTORS, "waves-gru")
TOKENS = ("motifs-gru", "brackets-encoder", "chains-transformer")
MANY = ("digits-mlp", "motifs-gru", "diabetes-mlp", "digits-cnn", "chains-transformer", "waves-gru")
TWO = ("digits-mlp", "motifs-gru", "digits-cnn", "chains-transformer")
IMAGES = ("digits-mlp", "digits-cnn")

# -- what names it -------------------------------------------------------------------------------

OPT, REP, GEN, RUN = "optimization", "representation", "generalization", "runtime"

NO_LEARNING = ("loss_not_decreasing", "accuracy_at_chance")
UNCHANGED = ("parameters_unchanged", "stagnant_layers", *NO_LEARNING)
BLOWN_UP = (
    "loss_divergence",
    "loss_spike",
    "oscillating_loss",
    "learning_rate_too_high",
    "exploding_gradients",
    "diverging_weights",
    "gradient_norm_spike",
    "non_finite_values",
    "update_ratio",
)
DEAD_MODEL = (
    "activation_collapse",
    "vanishing_gradients",
    "stagnant_layers",
    "poor_initialization",
)
OVERFITTED = ("overfitting_onset", "generalization_gap", "overtraining")
BAD_VALIDATION = ("generalization_gap", "validation_bad_from_start", "overfitting_onset")
WAITING = ("data_loading_bottleneck", "io_bottleneck", "runtime_bottleneck_risk")
PAUSES = ("step_time_outliers", "stalled_training", "runtime_bottleneck_risk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a training; ``by_task`` has further switches for some tasks."""

    name: str
    family: str
    tasks: tuple[str, ...]
    rules: tuple[str, ...]
    categories: tuple[str, ...]
    switches: Mapping[str, Any]
    by_metrics: bool = True
    numerical: bool = False
    by_task: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def options(self, task: str) -> dict[str, Any]:
        """Return the switches for a task."""
        return {**self.switches, **self.by_task.get(task, {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Makes the faults of one family."""

    name: str

    def fault(
        self,
        name: str,
        tasks: Sequence[str],
        rules: Sequence[str],
        categories: str | tuple[str, ...],
        *,
        by_metrics: bool = True,
        numerical: bool = False,
        by_task: Mapping[str, Mapping[str, Any]] | None = None,
        **switches: Any,
    ) -> Fault:
        """Return a fault; ``switches`` are :class:`~benchmarks.faults.options.Options`."""
        return Fault(
            name=name,
            family=self.name,
            tasks=tuple(tasks),
            rules=tuple(dict.fromkeys(rules)),
            categories=(categories,) if isinstance(categories, str) else categories,
            by_metrics=by_metrics,
            numerical=numerical,
            by_task=by_task or {},
            switches=switches,
        )
