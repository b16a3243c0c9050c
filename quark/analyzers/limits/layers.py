"""Thresholds of the rules on layers, parameters and their gradients.

They stand beside the SDK guide's, which :class:`~quark.analyzers.thresholds.AnalyzerThresholds`
has. Where a field names no source, the number is ours: it lies between what healthy and
broken trainings of small and middling networks showed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLimits:
    """Thresholds of the rules on layers, parameters and their gradients.

    Norms are L2 norms; ratios and shares 0 to 1; a factor is how many times as large.

    Args:
        progress_min_points: Points of the training loss that are needed before it says how the
            training does.
        progress_learning_ratio: The loss has fallen to this share of where it began: something
            is learned.
        progress_converged_ratio: Likewise: there is little left to learn.
        progress_stuck_ratio: The loss is still above this share of where it began: nothing is
            learned.
        progress_low_loss: A loss that begins below has nothing to fall by.
        settling_steps: Probes of fewer steps show how a network begins, not how it learns.
        exploding_growth_factor: Growth of gradients since the first probes.
        exploding_depth_factor: Growth of gradients from the layer nearest to the loss.
        exploding_learning_factor: Either of the two, while the loss falls by a lot.
        exploding_early_probes: Probes that count as the first ones.
        vanishing_depth_ratio: Gradients of the first third of the layers to those of the last;
            AutoTrainer's.
        vanishing_depth_min_layers: Layers that are needed for that.
        vanishing_depth_min_share: Share of summaries that must be tiny.
        stagnant_relative_norm: A layer's gradient to the largest layer's.
        stagnant_max_listed: Layers that are named.
        collapse_min_probes: Probes that are needed.
        collapse_dead_rise: Rise of the share of dead units since the first probes.
        collapse_all_dead_ratio: From this share on, all of a layer is dead.
        collapse_std_fall: Standard deviation to that of the first probes.
        collapse_flat_std: Below, nothing varies at all.
        collapse_std_min_layers: From so many layers on, a small standard deviation alone says
            nothing.
        collapse_max_listed: Layers that are named.
        update_min_probes: Probes that are needed.
        update_min_elements: Elements that a weight must have.
        update_warning_ratio: Of a weight's norm in one step; 1e-3 is usual (CS231n). Likewise
            ``error``; ``critical`` is SageMaker's.
        update_tiny_ratio: Below, a step is too small to matter.
        update_unmoved_ratio: Below, nothing moves; SageMaker's.
        update_tiny_min_steps: Steps over which that must be so.
        unchanged_min_probes: Probes that are needed; SageMaker's.
        unchanged_min_steps: Steps, where nothing moves at all: gradients may be accumulated
            that long.
        unchanged_error_share: Share of the elements from which on it is an error.
        unchanged_gradient_ratio: Below this gradient, against its value, a parameter need not
            be seen to move.
        zero_min_probes: Probes that are needed.
        zero_min_steps: Steps over which a weight stays zero.
        gradientless_min_probes: Probes that are needed.
        gradientless_warning_share: Share of the elements, where nothing is known of modules.
        initialization_max_step: Later probes do not show how a network begins.
        initialization_min_elements: Elements that a weight must have.
        initialization_min_share: Share of the weights.
        initialization_constant_ratio: Standard deviation to mean, below which a weight is
            constant.
        initialization_large_scale: RMS times the fourth root of the size, above which a weight
            is large.
        initialization_moved_ratio: Change of the norm within the next field's probes above
            which a weight has been trained.
        initialization_still_probes: Those probes.
        initialization_growth_factor: Growth of activations, a layer.
        initialization_large_activation: RMS of activations.
        diverging_min_probes: Probes that are needed.
        diverging_warning_factor: Growth of the weights; likewise ``error`` and ``critical``.
        diverging_unknown_factor: The first of these where there is no training loss.
    """

    progress_min_points: int = 10
    progress_learning_ratio: float = 0.5
    progress_converged_ratio: float = 0.1
    progress_stuck_ratio: float = 0.95
    progress_low_loss: float = 0.05
    settling_steps: int = 20

    exploding_growth_factor: float = 100.0
    exploding_depth_factor: float = 100.0
    exploding_learning_factor: float = 1_000.0
    exploding_early_probes: int = 3

    vanishing_depth_ratio: float = 1e-3
    vanishing_depth_min_layers: int = 4
    vanishing_depth_min_share: float = 0.2

    stagnant_relative_norm: float = 1e-3
    stagnant_max_listed: int = 5

    collapse_min_probes: int = 2
    collapse_dead_rise: float = 0.2
    collapse_all_dead_ratio: float = 0.9995
    collapse_std_fall: float = 0.1
    collapse_flat_std: float = 1e-6
    collapse_std_min_layers: int = 4
    collapse_max_listed: int = 5

    update_min_probes: int = 3
    update_min_elements: int = 16
    update_warning_ratio: float = 0.1
    update_error_ratio: float = 0.5
    update_critical_ratio: float = 10.0
    update_tiny_ratio: float = 1e-5
    update_unmoved_ratio: float = 1e-8
    update_tiny_min_steps: int = 100

    unchanged_min_probes: int = 3
    unchanged_min_steps: int = 50
    unchanged_error_share: float = 0.1
    unchanged_gradient_ratio: float = 1e-4

    zero_min_probes: int = 3
    zero_min_steps: int = 20

    gradientless_min_probes: int = 3
    gradientless_warning_share: float = 0.1

    initialization_max_step: int = 100
    initialization_min_elements: int = 64
    initialization_min_share: float = 0.5
    initialization_constant_ratio: float = 0.3
    initialization_large_scale: float = 6.0
    initialization_moved_ratio: float = 0.2
    initialization_still_probes: int = 3
    initialization_growth_factor: float = 5.0
    initialization_large_activation: float = 100.0

    diverging_min_probes: int = 3
    diverging_warning_factor: float = 10.0
    diverging_error_factor: float = 100.0
    diverging_critical_factor: float = 10_000.0
    diverging_unknown_factor: float = 30.0

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)], {"diverging_*_factor": False})
