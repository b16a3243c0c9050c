"""From what two runs have kept to the differences between them. Pure: no store, clock or log."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.comparison_results import (
    AlertChange,
    AlertDiff,
    Difference,
    LayerSummaryDiff,
    MetricDiff,
    MetricSummary,
    MetricTargetSpec,
    PhaseDiff,
    TimeToTarget,
)
from quark.analyzers.findings import SEVERITIES
from quark.analyzers.phase_words import DISPLAY_NAMES
from quark.analyzers.phases import PHASE_NAMES

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, LayerTrack, MetricSeries
    from quark.records import AlertRecord, PhaseRecord


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedRun:
    """What is compared of one run."""

    metrics: Mapping[str, MetricSeries] = field(default_factory=dict)
    alerts: Sequence[AlertRecord] = ()
    phases: Sequence[PhaseRecord] = ()
    layers: Sequence[LayerTrack] = ()


# -- numbers -------------------------------------------------------------------------------------


def difference(primary: float | None, reference: float | None) -> Difference:
    """Compare two numbers. Equal ones differ by 0, infinite ones too.

    >>> difference(3.0, 4.0).to_dict()
    {'primary': 3.0, 'reference': 4.0, 'absolute': -1.0, 'relative': -0.25}
    """
    if primary is None or reference is None:
        return Difference(primary=primary, reference=reference)
    absolute = 0.0 if primary == reference else primary - reference
    relative = None
    if absolute == 0.0:
        relative = 0.0
    elif reference != 0.0:
        relative = absolute / abs(reference)
    return Difference(primary=primary, reference=reference, absolute=absolute, relative=relative)


def better_of(primary: float | None, reference: float | None, direction: str | None) -> str | None:
    """Return whose number is better; NaN is worse than any other, and equal to itself.

    >>> better_of(math.nan, 9.9, "at_most"), better_of(0.5, 0.4, "at_most")
    ('reference', 'reference')
    """
    if direction is None or primary is None or reference is None:
        return None
    if math.isnan(primary) or math.isnan(reference):
        if math.isnan(primary) and math.isnan(reference):
            return "equal"
        return "reference" if math.isnan(primary) else "primary"
    if primary == reference:
        return "equal"
    return "primary" if (primary > reference) == (direction == "at_least") else "reference"


# -- metrics -------------------------------------------------------------------------------------


def metric_summary(series: MetricSeries, direction: str | None = None) -> MetricSummary:
    """Sum up one metric of one run, which has at least one point."""
    finite = series.finite()
    best, best_step = None, None
    if direction is not None and len(finite):
        values = finite.value
        place = int(values.argmax() if direction == "at_least" else values.argmin())
        best = float(values[place])
        best_step = int(finite.step[place]) if series.has_steps else None
    has_finite = len(finite) > 0
    return MetricSummary(
        count=len(series),
        nonfinite_count=len(series) - len(finite),
        first_step=int(series.step[0]) if series.has_steps else None,
        last_step=int(series.step[-1]) if series.has_steps else None,
        last=float(series.value[-1]),
        mean=_mean(finite.value) if has_finite else None,
        min=float(finite.value.min()) if has_finite else None,
        max=float(finite.value.max()) if has_finite else None,
        best=best,
        best_step=best_step,
    )


def metric_diffs(
    primary: ComparedRun,
    reference: ComparedRun,
    directions: Mapping[str, str],
    targets: Iterable[MetricTargetSpec] = (),
) -> tuple[MetricDiff, ...]:
    """Compare all metrics of two runs, by key.

    Args:
        primary: The one run.
        reference: The other.
        directions: For each key ``at_least`` where more is better, ``at_most`` where less is.
        targets: What some metrics are to reach. They also say in which direction.
    """
    by_key = {target.metric_key: target for target in targets}
    known = {**directions, **{key: target.direction for key, target in by_key.items()}}
    found = []
    for key in sorted({*primary.metrics, *reference.metrics, *by_key}):
        ours, theirs = primary.metrics.get(key), reference.metrics.get(key)
        if ours is not None or theirs is not None:
            found.append(_metric_diff(key, ours, theirs, known.get(key), by_key.get(key)))
    return tuple(found)


def _metric_diff(
    key: str,
    ours: MetricSeries | None,
    theirs: MetricSeries | None,
    direction: str | None,
    target: MetricTargetSpec | None,
) -> MetricDiff:
    one = None if ours is None else metric_summary(ours, direction)
    other = None if theirs is None else metric_summary(theirs, direction)
    last = difference(one.last if one else None, other.last if other else None)
    best = difference(one.best if one else None, other.best if other else None)
    our_step, their_step = one.last_step if one else None, other.last_step if other else None
    return MetricDiff(
        metric_key=key,
        presence=_presence(ours is not None, theirs is not None),
        direction=direction,
        better=better_of(last.primary, last.reference, direction),
        better_at_best=better_of(best.primary, best.reference, direction),
        primary=one,
        reference=other,
        last=last,
        best=best,
        mean=difference(one.mean if one else None, other.mean if other else None),
        count_difference=(one.count if one else 0) - (other.count if other else 0),
        last_step_difference=(
            None if our_step is None or their_step is None else our_step - their_step
        ),
        time_to_target_step=None if target is None else _time_to_target(ours, theirs, target),
    )


def _time_to_target(
    ours: MetricSeries | None, theirs: MetricSeries | None, target: MetricTargetSpec
) -> TimeToTarget:
    one, other = _first_step(ours, target), _first_step(theirs, target)
    return TimeToTarget(
        target_value=target.target_value,
        direction=target.direction,
        primary=one,
        reference=other,
        difference=None if one is None or other is None else one - other,
    )


def _first_step(series: MetricSeries | None, target: MetricTargetSpec) -> int | None:
    if series is None or not series.has_steps:
        return None
    is_least = target.direction == "at_least"
    reached = (
        series.value >= target.target_value if is_least else series.value <= target.target_value
    )
    places = np.flatnonzero(reached)  # a comparison with NaN is false
    return int(series.step[places[0]]) if len(places) else None


def _mean(values: Float64Array) -> float | None:
    """Return the mean of finite values, also where their sum is too large for a float."""
    if not len(values):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.mean())
    return mean if math.isfinite(mean) else float((values / len(values)).sum())


# -- alerts and phases ---------------------------------------------------------------------------


def alert_diff(primary: ComparedRun, reference: ComparedRun) -> AlertDiff:
    """Compare what is wrong with two runs."""
    ours, theirs = _worst_by_identity(primary.alerts), _worst_by_identity(reference.alerts)
    changes = []
    for rule_id, subject in sorted({*ours, *theirs}):
        one, other = ours.get((rule_id, subject)), theirs.get((rule_id, subject))
        shown = one or other
        if shown is not None:
            changes.append(
                AlertChange(
                    rule_id=rule_id,
                    subject=subject,
                    category=shown.category,
                    title=shown.title,
                    primary_severity=one.severity if one else None,
                    reference_severity=other.severity if other else None,
                )
            )
    changes.sort(key=_severity_of_change, reverse=True)
    return AlertDiff(
        added=tuple(one for one in changes if one.reference_severity is None),
        resolved=tuple(one for one in changes if one.primary_severity is None),
        common=tuple(one for one in changes if one.primary_severity and one.reference_severity),
        primary_severity_counts=_severity_counts(primary.alerts),
        reference_severity_counts=_severity_counts(reference.alerts),
    )


def phase_diffs(primary: ComparedRun, reference: ComparedRun) -> tuple[PhaseDiff, ...]:
    """Compare how long two runs were in each phase; phases that neither has are left out."""
    ours, theirs = _steps_by_phase(primary.phases), _steps_by_phase(reference.phases)
    totals = [sum(sum(lengths) for lengths in run.values()) for run in (ours, theirs)]
    names = [*PHASE_NAMES, *sorted({*ours, *theirs} - set(PHASE_NAMES))]
    found = []
    for name in names:
        if name not in ours and name not in theirs:
            continue
        one, other = ours.get(name, []), theirs.get(name, [])
        found.append(
            PhaseDiff(
                phase_name=name,
                display_name=DISPLAY_NAMES.get(name, name),
                primary_count=len(one),
                reference_count=len(other),
                primary_steps=sum(one),
                reference_steps=sum(other),
                difference_steps=sum(one) - sum(other),
                primary_ratio=sum(one) / totals[0] if totals[0] else None,
                reference_ratio=sum(other) / totals[1] if totals[1] else None,
            )
        )
    return tuple(found)


def _worst_by_identity(alerts: Sequence[AlertRecord]) -> dict[tuple[str, str], AlertRecord]:
    found: dict[tuple[str, str], AlertRecord] = {}
    for alert in alerts:
        identity = (alert.rule_id, str(alert.metadata.get("subject") or ""))
        known = found.get(identity)
        if known is None or _rank(alert.severity) > _rank(known.severity):
            found[identity] = alert
    return found


def _rank(severity: str | None) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def _severity_of_change(change: AlertChange) -> int:
    return max(_rank(change.primary_severity), _rank(change.reference_severity))


def _severity_counts(alerts: Sequence[AlertRecord]) -> dict[str, int]:
    counts = Counter(alert.severity for alert in alerts)
    return {severity: counts[severity] for severity in SEVERITIES}


def _steps_by_phase(phases: Sequence[PhaseRecord]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for phase in phases:
        has_steps = phase.step_start is not None and phase.step_end is not None
        length = phase.step_end - phase.step_start + 1 if has_steps else 0  # type: ignore[operator]
        found.setdefault(phase.phase_name, []).append(length)
    return found


# -- layers --------------------------------------------------------------------------------------


def layer_diffs(primary: ComparedRun, reference: ComparedRun) -> tuple[LayerSummaryDiff, ...]:
    """Compare the layers of two runs, by module and by activations and gradients."""
    ours, theirs = _by_layer(primary.layers), _by_layer(reference.layers)
    found = []
    for name, kind in sorted({*ours, *theirs}):
        one, other = ours.get((name, kind), []), theirs.get((name, kind), [])
        found.append(
            LayerSummaryDiff(
                module_name=name,
                module_type=(one or other)[0].module_type,
                summary_type=kind,
                presence=_presence(bool(one), bool(other)),
                primary_probe_count=sum(map(len, one)),
                reference_probe_count=sum(map(len, other)),
                mean_norm=difference(_mean_of(one, "norm"), _mean_of(other, "norm")),
                mean_std=difference(_mean_of(one, "std"), _mean_of(other, "std")),
                mean_dead_unit_ratio=difference(
                    _mean_of(one, "dead_unit_ratio"), _mean_of(other, "dead_unit_ratio")
                ),
            )
        )
    return tuple(found)


def _by_layer(layers: Sequence[LayerTrack]) -> dict[tuple[str, str], list[LayerTrack]]:
    found: dict[tuple[str, str], list[LayerTrack]] = {}
    for track in layers:
        found.setdefault((track.module_name, track.summary_type), []).append(track)
    return found


def _mean_of(tracks: list[LayerTrack], column: str) -> float | None:
    if not tracks:
        return None
    values = np.concatenate([getattr(track, column) for track in tracks])
    return _mean(values[np.isfinite(values)])


def _presence(in_primary: bool, in_reference: bool) -> str:
    return "both" if in_primary and in_reference else "primary" if in_primary else "reference"
