"""Thresholds of the rules on losses, learning rates and values that are not finite."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class LossLimits:
    """Thresholds of the rules on losses, learning rates and values that are not finite.

    Each name begins with its rule. All numbers are ours, from healthy runs that had to stay quiet,
    where the rule names no source. ``*_ratio`` of a loss are relative to where the loss began;
    ``*_sigmas`` are multiples of the noise around the trend.

    Attributes:
        non_finite_lasting_points: So many at the end of a loss say that it stays non-finite.
        non_finite_lasting_probes: The same for layers, gradients and further metrics.
        non_finite_min_finite_points: So many finite values before, or the metric is one that was
            never defined.
        non_finite_placeholder_ratio: NaN at this share of the points stands for "not measured".
        non_finite_gradient_ratio: Gradients may be non-finite at less than this share of probes.
        loss_divergence_min_points: Fewer points are not judged.
        loss_divergence_error_rise: The loss ends at so many times its start.
        loss_divergence_critical_rise: The same for critical.
        loss_divergence_lost_ratio: This share of what had been learned was lost again.
        loss_divergence_lost_all_ratio: The same where the loss had fallen by less than
            loss_divergence_min_learned_ratio, but by a third of it.
        loss_divergence_min_learned_ratio: How far the loss must have fallen before.
        loss_divergence_lasting_ratio: The rise lasts for this share of the run, to its end.
        loss_divergence_sigmas: The rise is so many standard errors of a level.
        loss_spike_min_points: Fewer points are not judged.
        loss_spike_rise: A spike is so many times the level before it.
        loss_spike_sigmas: and this far above the noise,
        loss_spike_start_ratio: and rises by this share of where the loss began.
        loss_spike_warning_count: So many spikes are a warning.
        loss_spike_chance: Spikes as long as noise would make with this probability do not count.
        oscillating_loss_min_points: Fewer points are not judged.
        oscillating_loss_swing_ratio: A swing is this share of where the loss began,
        oscillating_loss_swing_level_ratio: and of the level it swings around,
        oscillating_loss_sigmas: and so many standard errors of a level.
        oscillating_loss_min_swings: So many swings, up and down counted, are a warning.
        oscillating_loss_noise_growth: Without swings: noise so many times that of the beginning
            while the loss does not fall,
        oscillating_loss_noise_ratio: and this share of where the loss began.
        loss_not_decreasing_min_points: Fewer points are not judged.
        loss_not_decreasing_live_points: The same while the run goes on: there may be a take-off.
        loss_not_decreasing_ratio: A loss that fell by less did not fall.
        loss_not_decreasing_sure_ratio: Noise must leave no room for it to have fallen by more.
        loss_not_decreasing_still_ratio: Less than this, noise granted, is worth knowing even where
            nothing says that the model is bad.
        loss_not_decreasing_still_ratio: float = 0.015
    loss_not_decreasing_chance_ratio: How near to the logarithm of the number of classes counts
            as being at chance.
        loss_not_decreasing_frozen_evaluations: So many validation losses that are equal to the last
            digit say that nothing is learned.
        loss_not_decreasing_frozen_ratio: and they span this share of the run.
        learning_rate_zero_min_points: So many points in a row have a rate of zero,
        learning_rate_zero_warning_ratio: which are this share of the run,
        learning_rate_zero_error_ratio: or this one for an error.
        learning_rate_schedule_min_points: Fewer points are not judged.
        learning_rate_schedule_floor: The rate fell to this share of its highest
        learning_rate_schedule_before_ratio: before this share of the run was over,
        learning_rate_schedule_learned_ratio: when the loss stood above this share of its start.
        learning_rate_schedule_min_cycles: The rate went down and up again smoothly so many times.
        learning_rate_schedule_cycle_floor: down to this share of its highest.
        learning_rate_too_high_min_points: Fewer points are not judged.
        learning_rate_too_high_rise: Right after the start the loss is so many times as high.
        learning_rate_too_high_jump: or a single point is, and nothing is learned from then on.
        learning_rate_too_high_poor_ratio: A run that got over it is fine if it ends below this
            share of its start.
        learning_rate_too_high_before_ratio: What counts as right after the start, of the run.
        learning_rate_too_high_adam: Adam's rate above which a hint is given.
        learning_rate_too_high_sgd: The same for SGD.
        learning_rate_too_low_min_points: Fewer points are not judged.
        learning_rate_too_low_fall_ratio: The loss fell over the whole run by less than this share,
        learning_rate_too_low_sigmas: but by so many standard errors,
        learning_rate_too_low_late_ratio: and in its second half by this share of the first's fall.
        learning_rate_too_low_rate: A rate that is tiny for any optimizer,
        learning_rate_too_low_adam: for Adam and its like,
        learning_rate_too_low_sgd: and for SGD.
        learning_rate_too_low_flat_ratio: With a tiny rate it is enough that the loss fell by less.
        gradient_norm_spike_min_points: Fewer points are not judged.
        gradient_norm_spike_rise: A spike is so many times the usual norm,
        gradient_norm_spike_start_rise: and so many times the highest norm of the beginning.
        gradient_norm_spike_warning_count: So many spikes that the loss follows are a warning.
        gradient_norm_spike_loss_ratio: The loss follows if it rises by this share of its start.
        loss_scale_start_ratio: The first loss is so many times that of guessing.
        loss_scale_start_loss: The same where the number of classes is not known.
        loss_scale_batch_ratio: How near to the batch size the ratio of losses is, relative.
        loss_scale_min_batch_ratio: Ratios below it may have another reason.
        loss_scale_negative_growth: A loss below zero grew to so many times its size.
        loss_scale_likelihood_gap: A loss of minus the accuracy, give or take this.
        loss_scale_floor_gap: How near a loss is to the lowest that two softmaxes allow.
        amp_scale_collapse_min_points: Fewer points are not judged.
        amp_scale_collapse_scale: A loss scale below this is of no use in 16 bits.
        amp_scale_collapse_halvings: It was halved so many times without growing again.
        amp_scale_collapse_warning_ratio: This share of steps was left out.
        amp_scale_collapse_error_ratio: The same for an error.
    """

    non_finite_lasting_points: int = 2
    non_finite_lasting_probes: int = 3
    non_finite_min_finite_points: int = 3
    non_finite_placeholder_ratio: float = 0.5
    non_finite_gradient_ratio: float = 0.3
    loss_divergence_min_points: int = 20
    loss_divergence_error_rise: float = 3.0
    loss_divergence_critical_rise: float = 10.0
    loss_divergence_lost_ratio: float = 0.5
    loss_divergence_lost_all_ratio: float = 0.9
    loss_divergence_min_learned_ratio: float = 0.3
    loss_divergence_lasting_ratio: float = 0.15
    loss_divergence_sigmas: float = 6.0
    loss_spike_min_points: int = 60
    loss_spike_rise: float = 2.0
    loss_spike_sigmas: float = 8.0
    loss_spike_start_ratio: float = 0.2
    loss_spike_warning_count: int = 3
    loss_spike_chance: float = 0.01
    oscillating_loss_min_points: int = 40
    oscillating_loss_swing_ratio: float = 0.15
    oscillating_loss_swing_level_ratio: float = 0.3
    oscillating_loss_sigmas: float = 8.0
    oscillating_loss_min_swings: int = 5
    oscillating_loss_noise_growth: float = 4.0
    oscillating_loss_noise_ratio: float = 0.15
    loss_not_decreasing_min_points: int = 100
    loss_not_decreasing_live_points: int = 500
    loss_not_decreasing_ratio: float = 0.03
    loss_not_decreasing_sure_ratio: float = 0.1
    loss_not_decreasing_still_ratio: float = 0.015
    loss_not_decreasing_chance_ratio: float = 0.05
    loss_not_decreasing_frozen_evaluations: int = 4
    loss_not_decreasing_frozen_ratio: float = 0.3
    learning_rate_zero_min_points: int = 10
    learning_rate_zero_warning_ratio: float = 0.2
    learning_rate_zero_error_ratio: float = 0.5
    learning_rate_schedule_min_points: int = 30
    learning_rate_schedule_floor: float = 1e-3
    learning_rate_schedule_before_ratio: float = 0.5
    learning_rate_schedule_learned_ratio: float = 0.1
    learning_rate_schedule_min_cycles: int = 4
    learning_rate_schedule_cycle_floor: float = 0.01
    learning_rate_too_high_min_points: int = 30
    learning_rate_too_high_rise: float = 1.5
    learning_rate_too_high_jump: float = 4.0
    learning_rate_too_high_poor_ratio: float = 0.2
    learning_rate_too_high_before_ratio: float = 0.25
    learning_rate_too_high_adam: float = 0.03
    learning_rate_too_high_sgd: float = 2.0
    learning_rate_too_low_min_points: int = 100
    learning_rate_too_low_fall_ratio: float = 0.1
    learning_rate_too_low_sigmas: float = 4.0
    learning_rate_too_low_late_ratio: float = 0.6
    learning_rate_too_low_rate: float = 1e-6
    learning_rate_too_low_adam: float = 5e-6
    learning_rate_too_low_sgd: float = 5e-4
    learning_rate_too_low_flat_ratio: float = 0.05
    gradient_norm_spike_min_points: int = 60
    gradient_norm_spike_rise: float = 10.0
    gradient_norm_spike_start_rise: float = 2.0
    gradient_norm_spike_warning_count: int = 3
    gradient_norm_spike_loss_ratio: float = 0.2
    loss_scale_start_ratio: float = 4.0
    loss_scale_start_loss: float = 20.0
    loss_scale_batch_ratio: float = 0.3
    loss_scale_min_batch_ratio: float = 4.0
    loss_scale_negative_growth: float = 10.0
    loss_scale_likelihood_gap: float = 0.15
    loss_scale_floor_gap: float = 0.25
    amp_scale_collapse_min_points: int = 20
    amp_scale_collapse_scale: float = 1.0
    amp_scale_collapse_halvings: int = 8
    amp_scale_collapse_warning_ratio: float = 0.2
    amp_scale_collapse_error_ratio: float = 0.5

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)])
