"""Where rules begin to speak: the SDK guide's thresholds, and beside them a group for each family.

A rule's own thresholds are in the file of its family below ``limits/``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from quark.analyzers.limits.checks import check_numbers
from quark.analyzers.limits.data import DataLimits
from quark.analyzers.limits.generalization import GeneralizationLimits
from quark.analyzers.limits.layers import LayerLimits
from quark.analyzers.limits.loop import LoopLimits
from quark.analyzers.limits.loss import LossLimits
from quark.analyzers.limits.runtime import RuntimeLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerThresholds:
    """Where each rule begins to speak.

    Norms are L2 norms, ratios and fractions 0 to 1, times in milliseconds. A gap is how much
    higher the validation loss is than the training loss, relative to the latter.

    Raises:
        SchemaValidationError: A threshold is no finite number of 0 or more, or the levels of one
            rule are not in order.

    >>> AnalyzerThresholds(overfitting_warning_gap=0.15).overfitting_error_gap
    0.4
    """

    exploding_gradient_warning_norm: float = 10.0
    exploding_gradient_error_norm: float = 25.0
    exploding_gradient_critical_norm: float = 50.0
    vanishing_gradient_norm: float = 1e-4
    vanishing_gradient_warning_ratio: float = 0.5
    vanishing_gradient_error_ratio: float = 0.75
    vanishing_gradient_critical_ratio: float = 0.9
    vanishing_gradient_min_samples: int = 4
    stagnant_layer_gradient_norm: float = 1e-4
    stagnant_layer_warning_probes: int = 2
    stagnant_layer_error_probes: int = 4
    stagnant_layer_critical_probes: int = 6
    activation_collapse_warning_dead_unit_ratio: float = 0.8
    activation_collapse_error_dead_unit_ratio: float = 0.92
    activation_collapse_critical_dead_unit_ratio: float = 0.98
    activation_collapse_warning_saturation_ratio: float = 0.9
    activation_collapse_error_saturation_ratio: float = 0.97
    activation_collapse_critical_saturation_ratio: float = 0.995
    activation_collapse_warning_std: float = 0.05
    activation_collapse_error_std: float = 0.01
    activation_collapse_critical_std: float = 0.001
    overfitting_warning_gap: float = 0.2
    overfitting_error_gap: float = 0.4
    overfitting_critical_gap: float = 0.7
    overfitting_min_points: int = 3
    runtime_warning_step_time_ms: float = 250.0
    runtime_error_step_time_ms: float = 500.0
    runtime_critical_step_time_ms: float = 1000.0
    runtime_warning_data_fraction: float = 0.4
    runtime_error_data_fraction: float = 0.6
    runtime_critical_data_fraction: float = 0.75
    runtime_warning_jitter_ratio: float = 0.25
    runtime_error_jitter_ratio: float = 0.5
    runtime_critical_jitter_ratio: float = 0.75
    loss: LossLimits = field(default_factory=LossLimits)
    generalization: GeneralizationLimits = field(default_factory=GeneralizationLimits)
    layers: LayerLimits = field(default_factory=LayerLimits)
    loop: LoopLimits = field(default_factory=LoopLimits)
    runtime: RuntimeLimits = field(default_factory=RuntimeLimits)
    data: DataLimits = field(default_factory=DataLimits)

    def __post_init__(self) -> None:
        names = [item.name for item in fields(self)]
        check_numbers(self, [name for name in names if name not in _GROUPS], _LEVELS)


_GROUPS = {
    "loss": LossLimits,
    "generalization": GeneralizationLimits,
    "layers": LayerLimits,
    "loop": LoopLimits,
    "runtime": RuntimeLimits,
    "data": DataLimits,
}
#: Names with a ``*`` where warning, error and critical stand, and whether they fall.
_LEVELS = {
    "exploding_gradient_*_norm": False,
    "vanishing_gradient_*_ratio": False,
    "stagnant_layer_*_probes": False,
    "activation_collapse_*_dead_unit_ratio": False,
    "activation_collapse_*_saturation_ratio": False,
    "activation_collapse_*_std": True,
    "overfitting_*_gap": False,
    "runtime_*_step_time_ms": False,
    "runtime_*_data_fraction": False,
    "runtime_*_jitter_ratio": False,
}
