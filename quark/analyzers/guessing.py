"""Whether a classifier does better than guessing: what accuracies and the loss say of that.

Accuracies come as ratios or percent; one that is higher than 1.5 at any point is taken for percent.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.run_config import class_count

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, Int64Array, RunEvidence

#: A classifier of unknown classes that gets this share right does not guess.
_GOOD = 0.6
_ERRORS = re.compile(r"(?<![a-z])(?:r?mse|mae|r2)(?![a-z0-9])|squared|absolute|regression")


def accuracy(evidence: RunEvidence, role: str) -> tuple[Int64Array, Float64Array] | None:
    """Return steps and ratios of the accuracy that plays ``role``; None if there is none."""
    series = evidence.role(role)
    if series is None:
        return None
    series = series.finite()
    if not len(series):
        return None
    scale = 100.0 if float(series.value.max()) > 1.5 else 1.0
    return series.step, series.value / scale


def accuracy_verdict(evidence: RunEvidence) -> str | None:
    """Return ``"good"``, ``"chance"``, or ``"unsure"``; None if there is no accuracy at all.

    At chance is what never gets clearly above one divided by the number of classes, or, where that
    is not known, what never rises by much from a low start.
    """
    verdicts = []
    for role in ("val_accuracy", "train_accuracy"):
        found = accuracy(evidence, role)
        if found is None or len(found[1]) < 2:
            continue
        value = found[1]
        if len(value) > 40:  # of single batches
            value = np.array([part.mean() for part in np.array_split(value, 20)])
        verdicts.append(_verdict(value, guessed_classes(evidence)))
    if not verdicts:
        return None
    if "good" in verdicts:
        return "good"
    return "chance" if "chance" in verdicts else "unsure"


def guessed_classes(evidence: RunEvidence) -> int | None:
    """Return the number of classes: what the run says, or what its first losses look like.

    A classifier that guesses has a cross entropy of ln(classes), at least before it has learned.
    """
    known = class_count(evidence)
    loss = evidence.role("train_loss")
    if known is not None or loss is None or len(loss) < 3 or not _is_classifier(evidence):
        return known
    first = float(np.median(loss.value[:3]))
    if not math.isfinite(first) or not 0.6 < first < 7.0:
        return None
    return max(2, round(math.exp(first) / 1.02))


def chance_words(evidence: RunEvidence, loss: float) -> str:
    """Return a sentence on how near a loss is to guessing; empty if it is not.

    Where nothing tells of classes, a loss of 1 is what the mean gives for standardised targets.
    """
    classes = guessed_classes(evidence)
    if classes is None and 0.85 <= loss <= 1.15 and _is_regression(evidence):
        return " The mean of standardised targets gives a mean squared error of 1."
    if classes is None or abs(loss / math.log(classes) - 1.0) > 0.05:
        return ""
    return f" Guessing among {classes} classes gives ln({classes}) = {math.log(classes):.4g}."


def _is_classifier(evidence: RunEvidence) -> bool:
    return any(evidence.role(role) is not None for role in ("val_accuracy", "train_accuracy"))


def _is_regression(evidence: RunEvidence) -> bool:
    keys = [key for keys in evidence.roles.keys.values() for key in keys]
    return not _is_classifier(evidence) and any(_ERRORS.search(key.lower()) for key in keys)


def _verdict(value: Float64Array, classes: int | None) -> str:
    best, first = float(value.max()), float(value[0])
    if classes is not None:
        chance = 1.0 / classes
        if best >= max(2.0 * chance, chance + 0.1) and best >= 1.3 * first:
            return "good"
        if best >= min(0.5 + chance / 2, 3.0 * chance):
            return "good"
        return "chance" if best <= max(1.5 * chance, chance + 0.03) else "unsure"
    if best >= _GOOD:
        return "good"
    return "chance" if best - first < 0.05 and best < 0.55 else "unsure"
