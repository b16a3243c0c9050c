"""Phases in words: from blocks of a curve to the fields of the records that keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from quark.analyzers.phases import (
    DIVERGENCE,
    INITIALIZATION,
    OVERFITTING,
    RAPID,
    STABILIZATION,
    STAGNATION,
)
from quark.records import EvidenceRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quark.analyzers.phase_curve import Curve
    from quark.analyzers.phase_thresholds import PhaseAnalyzerThresholds
    from quark.analyzers.phases import Phase

DISPLAY_NAMES = {
    INITIALIZATION: "Initialization and adaptation",
    RAPID: "Rapid learning",
    STABILIZATION: "Stabilization",
    STAGNATION: "Stagnation",
    OVERFITTING: "Overfitting onset",
    DIVERGENCE: "Divergence",
}

#: What is said of each: where it went, and what that means.
_SENTENCES = {
    INITIALIZATION: "{moved}{where}: the training settled in.",
    RAPID: "{moved}{where}: it learned fast.",
    STABILIZATION: "{moved}{where}: it went on learning, more slowly.",
    STAGNATION: "{moved}{where}: it hardly improved.",
    OVERFITTING: "{moved}{where}, while {beside}: what it learned did not carry over.",
    DIVERGENCE: "{moved}{where}: the training fell apart.",
}


def phase_rows(
    curve: Curve, phases: Sequence[Phase], limits: PhaseAnalyzerThresholds, analysis_id: str
) -> list[dict[str, Any]]:
    """Return the fields of a :class:`~quark.records.PhaseRecord` for each phase.

    Steps are None where the metric was logged without any. The metadata has ``analysis_id``,
    ``phase_index``, ``metric_key``, ``validation_metric_key``, ``point_count``,
    ``nonfinite_count``, ``start_value``, ``end_value``, ``epoch_start`` and ``epoch_end``.
    """
    rows = []
    for place, phase in enumerate(phases):
        follows = phases[place + 1] if place + 1 < len(phases) else None
        steps = _steps(curve, phase, follows)
        start, end = _values(curve, phase)
        rows.append(
            {
                "phase_name": phase.name,
                "display_name": DISPLAY_NAMES[phase.name],
                "summary": _summary(curve, phase, steps, start, end),
                "step_start": steps[0],
                "step_end": steps[1],
                "evidence": _evidence(curve, phase, limits, steps),
                "metadata": {
                    "analysis_id": analysis_id,
                    "phase_index": place,
                    "metric_key": curve.key,
                    "validation_metric_key": curve.validation_key,
                    "point_count": _total(curve.point_count, phase),
                    "nonfinite_count": _total(curve.nonfinite_count, phase),
                    "start_value": start,
                    "end_value": end,
                    "epoch_start": _from_0(curve.start_epoch[phase.first]),
                    "epoch_end": _from_0(curve.end_epoch[phase.last]),
                },
            }
        )
    return rows


def _steps(curve: Curve, phase: Phase, follows: Phase | None) -> tuple[int | None, int | None]:
    """Return where a phase begins and ends; it lasts until the next one begins."""
    if not curve.has_steps:
        return None, None
    start = int(curve.start_step[phase.first])
    if follows is None:
        return start, int(curve.end_step[phase.last])
    return start, max(start, int(curve.start_step[follows.first]) - 1)


def _values(curve: Curve, phase: Phase) -> tuple[float | None, float | None]:
    """Return the metric where a phase begins, which is where the one before it ended, and ends."""
    levels = curve.level[max(0, phase.first - 1) : phase.last + 1]
    known = levels[np.isfinite(levels)]
    if not len(known) or not np.isfinite(curve.level[phase.first : phase.last + 1]).any():
        return None, None
    return curve.shown(float(known[0])), curve.shown(float(known[-1]))


def _summary(
    curve: Curve,
    phase: Phase,
    steps: tuple[int | None, int | None],
    start: float | None,
    end: float | None,
) -> str:
    if steps[0] is not None:
        where = f" over steps {steps[0]} to {steps[1]}"
    else:
        where = f" over {_total(curve.point_count, phase)} points"
    if start is None or end is None:
        bad, count = _total(curve.nonfinite_count, phase), _total(curve.point_count, phase)
        moved = f"{curve.key} was not finite at {bad} of {count} points"
    else:
        moved = f"{curve.key} {_went(start, end)}"
    beside = ""
    if phase.name == OVERFITTING:
        known = curve.validation[phase.first - 1 : phase.last + 1]
        first, last = (curve.shown_validation(float(one)) for one in (known[0], known[-1]))
        beside = f"{curve.validation_key} {_went(first, last)}"
    return _SENTENCES[phase.name].format(moved=moved, where=where, beside=beside)


def _went(start: float, end: float) -> str:
    """Say where a number went.

    >>> _went(2.0, 0.5), _went(0.5, 0.5)
    ('fell from 2 to 0.5 (-75%)', 'stayed at 0.5')
    """
    shown = f"{start:.4g}", f"{end:.4g}"
    if shown[0] == shown[1]:
        return f"stayed at {shown[0]}"
    verb = "fell" if end < start else "rose"
    share = f" ({(end - start) / abs(start):+.0%})" if abs(end - start) < 10 * abs(start) else ""
    return f"{verb} from {shown[0]} to {shown[1]}{share}"


def _evidence(
    curve: Curve,
    phase: Phase,
    limits: PhaseAnalyzerThresholds,
    steps: tuple[int | None, int | None],
) -> tuple[EvidenceRecord, ...]:
    def one(
        kind: str, summary: str, observed: float, threshold: float, source: str = curve.key
    ) -> EvidenceRecord:
        return EvidenceRecord(
            kind=kind,
            source=source,
            summary=summary,
            observed_value=observed,
            threshold_value=threshold,
            step_start=steps[0],
            step_end=steps[1],
        )

    bad = _total(curve.nonfinite_count, phase)
    if phase.name == DIVERGENCE and not np.isfinite(curve.level[phase.last]):
        return (one("nonfinite_values", f"{bad} values are not finite.", float(bad), 0.0),)
    if phase.name == DIVERGENCE:
        rise, far = phase.regression, phase.from_best
        return (
            one(
                "relative_regression",
                f"It was up to {rise:.0%} worse than a while before.",
                rise,
                limits.divergence_min_relative_regression,
            ),
            one(
                "from_best_ratio",
                f"It was up to {far:.0%} worse than its best so far.",
                far,
                limits.divergence_from_best_ratio,
            ),
        )
    if phase.name == OVERFITTING:
        gap, better, worse = phase.gap, phase.train_improvement, phase.validation_regression
        validation = curve.validation_key or curve.key
        return (
            one(
                "generalization_gap",
                f"{validation} was up to {gap:.0%} worse than {curve.key}.",
                gap,
                limits.overfitting_min_gap,
                validation,
            ),
            one(
                "train_relative_change",
                f"{curve.key} was up to {better:.1%} better than at the best {validation}.",
                better,
                limits.overfitting_min_train_relative_change,
            ),
            one(
                "validation_regression",
                f"{validation} was up to {worse:.1%} worse than its best.",
                worse,
                limits.overfitting_min_validation_regression,
                validation,
            ),
        )
    if phase.name == INITIALIZATION:
        points = phase.last - phase.first + 1
        settled = float(limits.initialization_points)
        summary = f"These are the first {points} of {len(curve)} points of the smoothed curve."
        return (one("initialization_points", summary, float(points), settled),)
    threshold = limits.stagnation_max_relative_change
    if phase.name == RAPID:
        threshold = limits.rapid_learning_min_relative_change
    summary = (
        f"It improved by {phase.rate:.1%} in a window of {curve.window} of {len(curve)} points."
    )
    return (one("relative_change", summary, phase.rate, threshold),)


def _total(counts: Any, phase: Phase) -> int:
    return int(counts[phase.first : phase.last + 1].sum())


def _from_0(number: Any) -> int | None:
    return int(number) if number >= 0 else None
