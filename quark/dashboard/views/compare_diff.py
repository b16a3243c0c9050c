"""Runs held against a reference, by the comparison engine: a row each thing, a column each run.

The first column is the reference itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.analyzers.compared import ComparisonEngineConfig, compare_stored, read_stored
from quark.analyzers.comparison_results import MetricTargetSpec
from quark.analyzers.findings import SEVERITIES
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.analyzers.comparison_results import (
        Difference,
        LayerSummaryDiff,
        MetricDiff,
        MetricSummary,
        RunComparisonResult,
    )
    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place

MAX_OTHERS = 8
_MAX_ROWS = 3000
_TARGET = re.compile(r"(.+?)\s*(<=|>=)\s*([^<>=]+)", re.DOTALL)


def differences(place: Place, asked: Asked) -> dict[str, Any]:
    """Return what is different between ``reference`` and each ``run``: metrics, alerts, phases,
    layers.

    Parameters: ``reference``, ``run`` (up to 8), and ``target`` such as ``val/loss<=0.3``, several
    times: the first step at which each run reached it.

    Raises:
        RunNotFoundError: One is not there.
        SchemaValidationError: There are too many runs, or a target is none.
    """
    reference_id = asked.text("reference")
    others = [run for run in dict.fromkeys(asked.all("run")) if run != reference_id]
    if reference_id is None or not others:
        raise SchemaValidationError("A comparison needs a reference, and another run.")
    if len(others) > MAX_OTHERS:
        raise SchemaValidationError(
            f"{len(others)} runs are more than the {MAX_OTHERS} that are held against a reference "
            "at once; ask for fewer."
        )
    targets = tuple(target_of(text) for text in dict.fromkeys(asked.all("target")))
    config = ComparisonEngineConfig(metric_targets=targets)
    reference = read_stored(place.store, reference_id)
    found = [
        compare_stored(read_stored(place.store, run), reference, config, baseline=True)
        for run in others
    ]
    return {
        "runs": [reference_id, *others],
        "metrics": _metric_rows(found),
        "targets": _target_rows(found, targets),
        "alerts": _alert_rows(found),
        "phases": _phase_rows(found),
        "layers": _layer_rows(found),
    }


def target_of(text: str) -> MetricTargetSpec:
    """Return the target that ``text`` describes.

    Raises:
        SchemaValidationError: It describes none.

    >>> target_of("val/loss <= 0.3")
    MetricTargetSpec(metric_key='val/loss', target_value=0.3, direction='at_most')
    """
    match = _TARGET.fullmatch(text.strip())
    try:
        value = float(match[3]) if match else float("nan")
    except ValueError:
        value = float("nan")
    if match is None or value != value:
        raise SchemaValidationError(
            f"target {text[:80]!r} is not valid; it must be a metric, '<=' or '>=', and a number, "
            "such as val/loss<=0.3."
        )
    direction = "at_most" if match[2] == "<=" else "at_least"
    return MetricTargetSpec(match[1], value, direction)


def _metric_rows(found: Sequence[RunComparisonResult]) -> list[dict[str, Any]]:
    by_key = [{diff.metric_key: diff for diff in one.metric_diffs} for one in found]
    keys = dict.fromkeys(key for diffs in by_key for key in diffs)
    rows = []
    for key in sorted(keys)[:_MAX_ROWS]:
        diffs = [diffs.get(key) for diffs in by_key]
        known = next(diff for diff in diffs if diff is not None)
        reference = next((diff.reference for diff in diffs if diff and diff.reference), None)
        rows.append(
            {
                "key": key,
                "direction": known.direction,
                "cells": [_metric_cell(reference, None), *(_run_cell(diff) for diff in diffs)],
            }
        )
    return rows


def _run_cell(diff: MetricDiff | None) -> dict[str, Any] | None:
    return None if diff is None else _metric_cell(diff.primary, diff)


def _metric_cell(summary: MetricSummary | None, diff: MetricDiff | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    cell = {name: _plain(getattr(summary, name)) for name in ("last", "best", "mean", "min", "max")}
    cell |= {"best_step": summary.best_step, "last_step": summary.last_step}
    cell |= {"count": summary.count, "nonfinite": summary.nonfinite_count}
    if diff is not None and diff.reference is not None:
        cell |= {
            "last_by": _by(diff.last),
            "best_by": _by(diff.best),
            "mean_by": _by(diff.mean),
            "better": diff.better,
            "better_at_best": diff.better_at_best,
        }
    return cell


def _target_rows(
    found: Sequence[RunComparisonResult], targets: Sequence[MetricTargetSpec]
) -> list[dict[str, Any]]:
    rows = []
    for target in targets:
        diffs = [one.metric(target.metric_key) for one in found]
        times = [diff.time_to_target_step if diff else None for diff in diffs]
        steps = [time.primary if time else None for time in times]
        reference = next((time.reference for time in times if time), None)
        rows.append(
            {
                "key": target.metric_key,
                "value": target.target_value,
                "direction": target.direction,
                "steps": [reference, *steps],
                "by": [None, *(time.difference if time else None for time in times)],
            }
        )
    return rows


def _alert_rows(found: Sequence[RunComparisonResult]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for place, one in enumerate(found, 1):
        diff = one.alert_diff
        for change in (*diff.added, *diff.resolved, *diff.common):
            row = rows.setdefault(
                (change.rule_id, change.subject),
                {
                    "rule_id": change.rule_id,
                    "subject": change.subject,
                    "title": change.title,
                    "category": change.category,
                    "cells": [None] * (len(found) + 1),
                },
            )
            row["cells"][place] = change.primary_severity
            row["cells"][0] = row["cells"][0] or change.reference_severity
    return sorted(rows.values(), key=_worst, reverse=True)[:_MAX_ROWS]


def _worst(row: dict[str, Any]) -> int:
    ranks = [SEVERITIES.index(one) if one in SEVERITIES else -1 for one in row["cells"]]
    return max(ranks)


def _phase_rows(found: Sequence[RunComparisonResult]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for place, one in enumerate(found, 1):
        for diff in one.phase_diffs:
            row = rows.setdefault(
                diff.phase_name,
                {"title": diff.display_name, "cells": [None] * (len(found) + 1)},
            )
            if diff.primary_count:
                row["cells"][place] = {"steps": diff.primary_steps, "ratio": diff.primary_ratio}
            if diff.reference_count:
                row["cells"][0] = {"steps": diff.reference_steps, "ratio": diff.reference_ratio}
    return list(rows.values())


def _layer_rows(found: Sequence[RunComparisonResult]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for place, one in enumerate(found, 1):
        for diff in one.layer_summary_diffs:
            row = rows.setdefault(
                (diff.module_name, diff.summary_type),
                {
                    "name": diff.module_name,
                    "type": diff.module_type,
                    "what": diff.summary_type,
                    "cells": [None] * (len(found) + 1),
                },
            )
            if diff.primary_probe_count:
                row["cells"][place] = _layer_cell(diff, "primary")
            if diff.reference_probe_count:
                row["cells"][0] = _layer_cell(diff, "reference")
    return [rows[place] for place in sorted(rows)][:_MAX_ROWS]


def _layer_cell(diff: LayerSummaryDiff, side: str) -> dict[str, Any]:
    cell: dict[str, Any] = {}
    for name in ("norm", "std", "dead_unit_ratio"):
        numbers: Difference = getattr(diff, f"mean_{name}")
        cell[name] = _plain(getattr(numbers, side))
        if side == "primary":
            cell[f"{name}_by"] = _by(numbers)
    return cell


def _by(difference: Difference) -> list[Any] | None:
    """Return a difference, absolute and relative; None where there is none."""
    if difference.absolute is None:
        return None
    return [_plain(difference.absolute), _plain(difference.relative)]


def _plain(number: float | None) -> Any:
    return jsonio.to_plain(number)
