"""Validation better than training: the validation loss lies far below the training loss.

Observes the last half of the evaluations. Dropout, augmentation and training losses that are means
over an epoch all make validation look better in perfect health, so a factor of two is only
``info``. It is a ``warning`` in two shapes that these hardly have: the validation loss is a
twentieth of the training loss or less, so that the two are not the same measure; or training has
hardly learned (it keeps ``better_train_kept_ratio`` of the loss it began with) while validation is
accurate and lower by a good share of that beginning, as it is where the training labels are noisy.
Where the run's config or layers name mixup, label smoothing, dropout or the like, it is ``info``;
dropout explains no more than ``better_dropout_share``.
Source: field lore, such as PyImageSearch, "Why is my validation loss lower than my training loss?",
2019; label noise as in Zhang et al., "Understanding deep learning requires rethinking
generalization", ICLR 2017.
Default: ours, from healthy and faulty runs of small models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.side_by_side import (
    SMALLEST,
    accuracy_curve,
    end_level,
    last_part,
    losses_side_by_side,
)

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.limits.generalization import GeneralizationLimits
    from quark.analyzers.thresholds import AnalyzerThresholds

_HARDER_TRAINING = re.compile(r"mix_?up|cut_?mix|smooth|drop|augment|mask|distil|noise|jitter")
#: Of the config so much is looked through.
_MOST_CONFIG_NAMES = 1_000


def validation_better_than_training(
    evidence: RunEvidence, limits: AnalyzerThresholds
) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    both, family = losses_side_by_side(evidence), limits.generalization
    if both is None or not both.is_comparable or len(both) < family.better_min_points:
        return
    is_always = bool((both.train > 0).all()) and bool(
        (both.val <= family.better_warning_ratio * both.train).all()
    )
    train, val = last_part(both.train, 0.5), last_part(both.val, 0.5)
    if not (train > 0).all() or not (val >= 0).all() or not (val < train).all():
        return
    ratios = val / np.maximum(train, SMALLEST)
    ratio = float(np.median(ratios))
    start = both.train_start
    kept = float(np.median(train)) / start if start > 0 else 0.0
    share = float(np.median(train - val)) / start if start > 0 else 0.0
    steps = int(both.step[-len(val)]), int(both.step[-1])
    is_other_measure = is_always or (
        bool((ratios <= family.better_warning_ratio).all()) and not _is_falling(train)
    )
    is_noisy = (
        len(both) >= family.better_noisy_points
        and kept >= family.better_train_kept_ratio
        and share >= family.better_warning_share
    )
    if is_other_measure:
        severity = "info" if _trains_harder(evidence) and not is_always else "warning"
        observed, threshold = ratio, family.better_warning_ratio
        inference = (
            "The two are hardly the same measure: one may be a sum and the other a mean, or "
            "validation may be made of what the model has learned by heart."
        )
    elif is_noisy:
        is_meant = _trains_harder(evidence, share >= family.better_dropout_share)
        severity = "warning" if not is_meant and _is_accurate(evidence, family) else "info"
        observed, threshold = share, family.better_warning_share
        inference = (
            "Training is made harder on purpose, as the run's config says."
            if is_meant
            else "The training targets are probably noisier than validation's: many labels may be "
            "wrong. Strong dropout or augmentation look the same."
        )
    elif ratio <= family.better_info_ratio:
        severity, observed, threshold = "info", ratio, family.better_info_ratio
        inference = "Dropout or augmentation usually do this; a leak into validation does as well."
    else:
        return
    yield Finding(
        rule_id="validation_better_than_training",
        severity=severity,
        fact=(
            f"{both.val_key} was below {both.train_key} in each of the last {len(val)} "
            f"evaluations, and ends at {end_level(both.val):.4g} against "
            f"{end_level(both.train):.4g}."
        ),
        inference=inference,
        observed=observed,
        threshold=threshold,
        step_range=steps,
        source=both.val_key,
    )


def _is_falling(train: Float64Array) -> bool:
    """Whether training falls so fast that its mean over a window lags behind."""
    return float(train[-1]) < 0.5 * float(train[0])


def _is_accurate(evidence: RunEvidence, family: GeneralizationLimits) -> bool:
    """Whether validation is known to be good: it may also just be easier than training."""
    accuracy = accuracy_curve(evidence.role("val_accuracy"))
    return accuracy is not None and end_level(accuracy.value) >= family.better_accuracy


def _trains_harder(evidence: RunEvidence, is_more_than_dropout: bool = False) -> bool:
    if not is_more_than_dropout and any(
        "Dropout" in track.module_type for track in evidence.activations
    ):
        return True
    return any(
        _HARDER_TRAINING.search(name.lower()) and value not in (0, 0.0, None, False, "", "none")
        for name, value in _settings(evidence.run.config)
    )


def _settings(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and values of a config, inner ones as well."""
    waiting: list[Mapping[str, Any]] = [config]
    count = 0
    while waiting:
        for name, value in waiting.pop().items():
            count += 1
            if count > _MOST_CONFIG_NAMES:
                return
            if isinstance(value, Mapping):
                waiting.append(value)
            yield str(name), value if isinstance(value, (int, float, str, type(None))) else True


RULE = Rule(
    rule_id="validation_better_than_training",
    category="generalization",
    title="Validation better than training",
    check=validation_better_than_training,
    advice=(
        "Look at a sample of training labels by eye.",
        "Check that both losses are means over samples, and over the same terms.",
        "Check that no validation sample is in the training set.",
        "Measure the training loss once in evaluation mode: what is left of the gap is real.",
    ),
)
