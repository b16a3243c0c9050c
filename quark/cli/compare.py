"""``quark compare``: two runs side by side."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import click

from quark.cli.output import Column, Output, object_of, shown, with_output
from quark.cli.target import with_store

if TYPE_CHECKING:
    from quark.analyzers.comparison_results import RunComparisonResult
    from quark.storage.protocols import Store

_SCHEMA = object_of(
    mode="string",
    primary="object",
    reference="object",
    metric_diffs="array",
    alert_diff="object",
    phase_diffs="array",
    layer_summary_diffs="array",
    config_diff="array",
)
_MISSING = "–"


@click.command(name="compare")
@click.argument("primary", metavar="RUN")
@click.argument("reference", metavar="REFERENCE")
@click.option(
    "--target-value",
    "targets",
    metavar="KEY<=VALUE",
    multiple=True,
    help="Which run reached it first, such as 'val/loss<=0.3'. Repeatable.",
)
@with_store
@with_output(_SCHEMA)
def compare(
    primary: str, reference: str, targets: tuple[str, ...], store: Store, out: Output
) -> None:
    """Compare a run with another one.

    Metrics, phases and layers side by side, and what differs in configuration and alerts.

    \b
    quark compare new-lr baseline
    quark compare new-lr baseline --target-value 'val/loss<=0.3' --json
    """
    from quark.analyzers.compared import (
        ComparisonEngineConfig,
        compare_stored,
        read_stored,
    )
    from quark.cli.run_choice import chosen_run

    ids = [chosen_run(store, text).id for text in (primary, reference)]
    one, other = (read_stored(store, run_id) for run_id in ids)
    config = ComparisonEngineConfig(metric_targets=tuple(map(_target, targets)))
    found = compare_stored(one, other, config, baseline=False)
    differences = config_differences(found.primary.config, found.reference.config)
    if out.as_json:
        rows = [{"key": key, "primary": a, "reference": b} for key, a, b in differences]
        out.answer({**found.to_dict(), "config_diff": rows})
        return
    _print(found, differences, out)


def config_differences(
    primary: Any, reference: Any, prefix: str = ""
) -> list[tuple[str, Any, Any]]:
    """Return what differs between two configurations: dotted key, value here, value there.

    >>> config_differences({"opt": {"lr": 0.1}, "n": 1}, {"opt": {"lr": 0.2}, "n": 1})
    [('opt.lr', 0.1, 0.2)]
    """
    found = []
    for key in dict.fromkeys([*primary, *reference]):
        a, b = primary.get(key), reference.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += config_differences(a, b, f"{prefix}{key}.")
        elif a != b or (key in primary) != (key in reference):
            found.append((f"{prefix}{key}", a, b))
    return found


def _target(text: str) -> Any:
    from quark.analyzers.comparison_results import MetricTargetSpec
    from quark.analyzers.gate_bands import parse_assertion
    from quark.errors import SchemaValidationError

    wanted = parse_assertion(text)
    directions = {"<": "at_most", "<=": "at_most", ">": "at_least", ">=": "at_least"}
    direction = directions.get(wanted.comparison)
    if direction is None:
        raise SchemaValidationError(
            f"{text!r} is no target: write KEY<=VALUE or KEY>=VALUE, as in 'val/loss<=0.3'."
        )
    return MetricTargetSpec(wanted.metric_key, wanted.value, direction)


def _print(found: RunComparisonResult, config: list[tuple[str, Any, Any]], out: Output) -> None:
    names = _names(found)
    out.text(f"{names[0]} ({found.primary.status}) beside {names[1]} ({found.reference.status})")
    if config:
        out.text("\nConfiguration")
        columns = [Column("KEY", lambda row: row[0])]
        columns += [Column(name, itemgetter(at)) for at, name in enumerate(names, 1)]
        out.rows(config, columns, empty="")
    out.text("\nMetrics")
    out.rows(
        [diff for diff in found.metric_diffs if not diff.metric_key.startswith("system/")],
        [
            Column("METRIC", lambda diff: diff.metric_key),
            Column(names[0], lambda diff: diff.last.primary, numeric=True),
            Column(names[1], lambda diff: diff.last.reference, numeric=True),
            Column("DIFFERENCE", lambda diff: diff.last.absolute, numeric=True),
            Column("BETTER", lambda diff: _who(diff.better, names)),
            Column("STEPS TO TARGET", lambda diff: _steps(diff.time_to_target_step)),
        ],
        empty="Neither run has metrics.",
    )
    alerts = found.alert_diff
    for title, changes in (
        (f"Only {names[0]} has", alerts.added),
        (f"Only {names[1]} has", alerts.resolved),
        ("Both have", alerts.common),
    ):
        if changes:
            out.text(f"\n{title}")
            for one in changes:
                severity = one.primary_severity or one.reference_severity
                out.text(f"  {severity}: {one.title} ({one.rule_id})")
    if found.phase_diffs:
        out.text("\nPhases, in steps")
        out.rows(
            found.phase_diffs,
            [
                Column("PHASE", lambda one: one.display_name),
                Column(names[0], lambda one: one.primary_steps, numeric=True),
                Column(names[1], lambda one: one.reference_steps, numeric=True),
            ],
            empty="",
        )
    layers = [one for one in found.layer_summary_diffs if one.presence == "both"]
    layers.sort(key=lambda one: -abs(one.mean_norm.relative or 0.0))
    if layers:
        out.text("\nLayers that differ most, mean norm")
        out.rows(
            layers[:12],
            [
                Column("LAYER", lambda one: one.module_name),
                Column("OF", lambda one: one.summary_type),
                Column(names[0], lambda one: one.mean_norm.primary, numeric=True),
                Column(names[1], lambda one: one.mean_norm.reference, numeric=True),
            ],
            empty="",
        )


def _names(found: RunComparisonResult) -> list[str]:
    """Return what to call the two runs: their names, unless that says nothing."""
    runs = (found.primary, found.reference)
    names = [run.name or run.id for run in runs]
    if names[0] == names[1]:
        names = [f"{run.name} {run.id}" if run.name else run.id for run in runs]
    return [shown(name) for name in names]


def _who(better: str | None, names: list[str]) -> str:
    return {"primary": names[0], "reference": names[1], "equal": "equal"}.get(
        better or "", _MISSING
    )


def _steps(reached: Any) -> str:
    if reached is None:
        return ""
    shown = [
        _MISSING if step is None else str(step) for step in (reached.primary, reached.reference)
    ]
    return " / ".join(shown)
