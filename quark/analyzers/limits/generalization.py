"""Thresholds of the rules on how training and validation compare."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralizationLimits:
    """Thresholds of the rules on how training and validation compare.

    Ratios and shares are 0 to 1. What a loss *gained* is how far it has fallen from where training
    began; points are evaluations on validation data.

    Attributes:
        overfitting_rise_ratio: The validation loss has risen by this ratio of its lowest value.
        overfitting_regress_share: It has lost this share of what it had gained.
        overfitting_noise_multiple: It has risen by so many widths of its own noise; or over ten
            points and more, so steadily that chance is as many standard deviations away.
        overfitting_train_fall_ratio: The training loss has fallen by this ratio meanwhile.
        overfitting_accuracy_gain: A validation accuracy that still rises by so much in the last
            half of the time since makes it ``info``.
        overfitting_good_accuracy: So does a validation accuracy of at least this that has lost
            nothing.
        gap_min_points: Points from which a standing gap is judged.
        gap_warning_accuracy: Training accuracy is this much above validation accuracy.
        gap_error_accuracy: Likewise, for ``error``.
        gap_loss_factor: The validation loss is so many times the training loss.
        gap_train_fall_ratio: The training loss has fallen by this ratio of where it began.
        gap_warning_loss_share: Of what training has gained, validation lacks this share.
        gap_error_loss_share: Likewise, for ``error``.
        gap_gain_ratio: Validation that still improves by this ratio in its last half is let be.
        gap_good_accuracy: A loss gap at this validation accuracy is ``info``.
        overtraining_patience_points: Points without a better validation loss.
        overtraining_delta_ratio: A validation loss is better if it is lower by this ratio.
        overtraining_info_run_ratio: The share of the run after the best point, for ``info``.
        overtraining_warning_run_ratio: Likewise for ``warning``, if validation got worse as well.
        overtraining_accuracy_drop: The accuracy has fallen so much from its best, for ``warning``.
        overtraining_fallen_points: Points since, instead of the patience.
        better_min_points: Points from which validation better than training is judged.
        better_noisy_points: Points from which training labels are taken to be noisy.
        better_info_ratio: The validation loss is at most this ratio of the training loss.
        better_warning_ratio: Likewise, for ``warning``.
        better_warning_share: Of the loss that training began with, validation is lower by this
            share, for ``warning``.
        better_dropout_share: More than this share dropout alone does not explain.
        better_accuracy: ... while validation accuracy is at least this,
        better_train_kept_ratio: ... and training has kept this ratio of where it began.
        bad_start_min_points: Points from which validation that never improves is judged.
        bad_start_factor: The validation loss is so many times the training loss, always.
        bad_start_error_factor: Likewise, for ``error``.
        bad_start_gain_ratio: Validation has fallen by less than this ratio of its first value.
        bad_start_train_fall_ratio: The training loss has fallen by this ratio.
        chance_min_points: Points from which an accuracy is judged.
        chance_min_train_points: Points of the training loss before.
        chance_gain_factor: The accuracy never was so many times its first value.
        chance_gain: ... nor this much above it.
        chance_highest: An accuracy above it is no chance level, unless the loss says so exactly.
        chance_witness_factor: A loss is that of guessing where accuracy x exp(loss) is 1, give or
            take this factor.
        chance_few_factor: Likewise, for an accuracy above ``chance_highest``: of two classes.
        chance_agree_factor: Likewise, where the loss has hardly fallen.
        chance_constant_points: Points of an accuracy that never changes.
        chance_constant_highest: No accuracy above it is at chance, whatever else is seen.
        chance_loss_gain_ratio: A loss that has fallen by this ratio has learned something.
    """

    overfitting_rise_ratio: float = 0.1
    overfitting_regress_share: float = 0.1
    overfitting_noise_multiple: float = 3.0
    overfitting_train_fall_ratio: float = 0.015
    overfitting_accuracy_gain: float = 0.02
    overfitting_good_accuracy: float = 0.95
    gap_min_points: int = 5
    gap_warning_accuracy: float = 0.1
    gap_error_accuracy: float = 0.25
    gap_loss_factor: float = 2.0
    gap_train_fall_ratio: float = 0.6
    gap_warning_loss_share: float = 0.25
    gap_error_loss_share: float = 0.6
    gap_gain_ratio: float = 0.1
    gap_good_accuracy: float = 0.95
    overtraining_patience_points: int = 10
    overtraining_delta_ratio: float = 0.005
    overtraining_info_run_ratio: float = 0.3
    overtraining_warning_run_ratio: float = 0.5
    overtraining_accuracy_drop: float = 0.05
    overtraining_fallen_points: int = 6
    better_min_points: int = 3
    better_noisy_points: int = 5
    better_info_ratio: float = 0.5
    better_warning_ratio: float = 0.05
    better_warning_share: float = 0.2
    better_dropout_share: float = 0.3
    better_accuracy: float = 0.7
    better_train_kept_ratio: float = 0.6
    bad_start_min_points: int = 4
    bad_start_factor: float = 1.5
    bad_start_error_factor: float = 5.0
    bad_start_gain_ratio: float = 0.1
    bad_start_train_fall_ratio: float = 0.5
    chance_min_points: int = 3
    chance_min_train_points: int = 100
    chance_gain_factor: float = 1.3
    chance_gain: float = 0.05
    chance_highest: float = 0.35
    chance_witness_factor: float = 1.3
    chance_few_factor: float = 1.1
    chance_agree_factor: float = 2.5
    chance_constant_points: int = 5
    chance_constant_highest: float = 0.6
    chance_loss_gain_ratio: float = 0.1

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)])
