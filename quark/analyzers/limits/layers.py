"""Thresholds of the rules on layers, parameters and their gradients.

They stand beside the SDK guide's, which :class:`~quark.analyzers.thresholds.AnalyzerThresholds`
has. Where a field's comment names no source, the number is ours: it lies between what healthy and
broken trainings of small and middling networks showed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLimits:
    """Thresholds of the rules on layers, parameters and their gradients.

    Norms are L2 norms; ratios and shares 0 to 1; a factor is how many times as large.
    """

    # -- what the training loss says: its end relative to its start
    progress_min_points: int = 10
    progress_learning_ratio: float = 0.5
    progress_converged_ratio: float = 0.1
    progress_stuck_ratio: float = 0.95
    progress_low_loss: float = 0.05  # a loss that starts below has nothing to fall by
    settling_steps: int = 20  # probes of fewer show how a network begins, not how it learns

    exploding_growth_factor: float = 100.0  # against the first probes
    exploding_depth_factor: float = 100.0  # against the layer nearest to the loss
    exploding_learning_factor: float = 1_000.0  # either of the two, while the loss falls by a lot
    exploding_early_probes: int = 3

    vanishing_depth_ratio: float = 1e-3  # first to last third; AutoTrainer's
    vanishing_depth_min_layers: int = 4
    vanishing_depth_min_share: float = 0.2  # of summaries that are tiny

    stagnant_relative_norm: float = 1e-3  # against the largest layer's
    stagnant_max_listed: int = 5

    collapse_min_probes: int = 2
    collapse_dead_rise: float = 0.2  # since the first probes
    collapse_all_dead_ratio: float = 0.9995
    collapse_std_fall: float = 0.1  # against the first probes
    collapse_flat_std: float = 1e-6  # nothing varies at all
    collapse_std_min_layers: int = 4  # from so many on, a small one alone says nothing
    collapse_max_listed: int = 5

    update_min_probes: int = 3
    update_min_elements: int = 16
    update_warning_ratio: float = 0.1  # of a weight's norm in one step; 1e-3 is usual (CS231n)
    update_error_ratio: float = 0.5
    update_critical_ratio: float = 10.0  # SageMaker's
    update_tiny_ratio: float = 1e-5
    update_unmoved_ratio: float = 1e-8  # SageMaker's
    update_tiny_min_steps: int = 100

    unchanged_min_probes: int = 3  # SageMaker's
    unchanged_min_steps: int = 50  # where nothing moves: gradients may be accumulated that long
    unchanged_error_share: float = 0.1  # of the elements
    unchanged_gradient_ratio: float = 1e-4  # below, against its value, it need not be seen to move

    zero_min_probes: int = 3
    zero_min_steps: int = 20

    gradientless_min_probes: int = 3
    gradientless_warning_share: float = 0.1  # of the elements, where nothing is known of modules

    initialization_max_step: int = 100
    initialization_min_elements: int = 64
    initialization_min_share: float = 0.5  # of the weights
    initialization_constant_ratio: float = 0.3  # standard deviation to mean
    initialization_large_scale: float = 6.0  # RMS times the fourth root of the size
    initialization_moved_ratio: float = 0.2  # of the norm, within the probes of the next line
    initialization_still_probes: int = 3
    initialization_growth_factor: float = 5.0  # of activations, a layer
    initialization_large_activation: float = 100.0  # RMS

    diverging_min_probes: int = 3
    diverging_warning_factor: float = 10.0
    diverging_error_factor: float = 100.0
    diverging_critical_factor: float = 10_000.0
    diverging_unknown_factor: float = 30.0  # where there is no training loss

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)], {"diverging_*_factor": False})
