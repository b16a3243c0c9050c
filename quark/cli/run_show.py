"""``quark run show`` and ``quark run status``: one run, for people and for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from quark.cli.asked_run import with_run
from quark.cli.output import Column, Output, list_of, object_of, shown, with_output

if TYPE_CHECKING:
    from quark.cli.asked_run import AskedRun
    from quark.records import AlertRecord, HealthScoreRecord, RunRecord
    from quark.storage.model import KeyStats

_STATUS = object_of(
    id="string",
    status="string",
    step="integer|null",
    exit_code="integer|null",
    end_reason="string|null",
    ended_at="string|null",
    stop_requested="boolean",
)
_SHOWN = object_of(
    run="object",
    duration_seconds="number|null",
    step="integer|null",
    stop_requested="boolean",
    folder="string|null",
    counts="object",
    health=list_of(object_of(score_key="string", score="number", status="string")),
    alerts=list_of(object_of(severity="string", rule_id="string", title="string")),
    metrics=list_of(
        object_of(key="string", count="integer", last_step="integer|null", last_value="any")
    ),
)
_MOST_METRICS = 20
_MOST_VALUES = 40
_LONGEST_VALUE = 160


@click.command(name="status")
@with_run
@with_output(_STATUS)
def status(out: Output, asked: AskedRun) -> None:
    """Print the status of a run: running, completed, failed or interrupted.

    \b
    quark run status rpwnn
    until [ "$(quark run status rpwnn)" != running ]; do sleep 60; done
    """
    from quark.storage.stop_requests import find_stop_request

    run = asked.read()
    if not out.as_json:
        out.text(str(run.status))
        return
    out.answer(
        {
            "id": run.id,
            "status": str(run.status),
            "step": last_step(asked.store.points.keys(run.id)),
            "exit_code": run.exit_code,
            "end_reason": run.end_reason,
            "ended_at": run.ended_at,
            "stop_requested": find_stop_request(asked.store.documents, run.id) is not None,
        }
    )


@click.command(name="show")
@with_run
@with_output(_SHOWN)
def show(out: Output, asked: AskedRun) -> None:
    """Show all that is known of a run.

    \b
    quark run show rpwnn
    quark run show rpwnn --json | jq .run.config
    """
    from quark.analyzers.outputs import current_outputs
    from quark.cli.alerts import by_severity
    from quark.cli.run_values import duration_seconds
    from quark.records import AlertRecord, HealthScoreRecord
    from quark.storage.stop_requests import find_stop_request

    run = asked.read()
    store = asked.store
    keys = store.points.keys(run.id)
    alerts = by_severity(current_outputs(store, run.id, AlertRecord, "alerts"))
    health = current_outputs(store, run.id, HealthScoreRecord, "alerts")
    is_asked = find_stop_request(store.documents, run.id) is not None
    counts = {**store.records.count(run.id), "metric": sum(one.count for one in keys.values())}
    folder = asked.folder
    if out.as_json:
        out.answer(
            {
                "run": run.to_dict(),
                "duration_seconds": duration_seconds(run),
                "step": last_step(keys),
                "stop_requested": is_asked,
                "folder": None if folder is None else str(folder),
                "counts": counts,
                "health": [one.to_dict() for one in health],
                "alerts": [one.to_dict() for one in alerts],
                "metrics": [metric_row(one) for one in keys.values()],
            }
        )
        return
    out.pairs(_head(run, keys, is_asked, None if folder is None else str(folder)))
    _say_values(out, "Config", run.config)
    _say_values(out, "Summary", run.summary)
    _say_metrics(out, run, keys)
    _say_judgement(out, run, health, alerts)


def last_step(keys: Mapping[str, KeyStats]) -> int | None:
    """Return the highest step that any metric has."""
    return max((one.step_max for one in keys.values() if one.step_max is not None), default=None)


def metric_row(stats: KeyStats) -> dict[str, Any]:
    """Return what is known of a metric without its points, as plain values."""
    from quark.clock import format_timestamp

    return {
        "key": stats.key,
        "count": stats.count,
        "nonfinite_count": stats.nonfinite_count,
        "step_min": stats.step_min,
        "step_max": stats.step_max,
        "last_step": stats.last_step,
        "last_epoch": stats.last_epoch,
        "last_value": stats.last_value,
        "last_time": format_timestamp(stats.last_time_us),
    }


def _head(
    run: RunRecord, keys: Mapping[str, KeyStats], is_asked: bool, folder: str | None
) -> list[tuple[str, Any]]:
    from quark.cli.run_values import duration_seconds
    from quark.report.lines import seconds_in_words

    seconds = duration_seconds(run)
    state = str(run.status)
    if run.status == "running" and is_asked:
        state += " (asked to stop)"
    pairs: list[tuple[str, Any]] = [
        ("Run", run.id),
        ("Name", run.name),
        ("Project", run.project_name),
        ("Workspace", run.workspace),
        ("Status", state),
        ("End reason", run.end_reason),
        ("Exit code", run.exit_code),
        ("Created", run.created_at[:19] + "Z"),
        ("Ended", None if run.ended_at is None else run.ended_at[:19] + "Z"),
        ("Duration", None if seconds is None else seconds_in_words(seconds)),
        ("Last step", last_step(keys)),
        ("Resumed", f"{run.resume_count} times" if run.resume_count else None),
        ("Group", run.group),
        ("Job type", run.job_type),
        ("Tags", list(run.tags) or None),
        ("Notes", run.notes),
        ("Git commit", run.git_commit),
        ("Parent", run.parent_run_id),
        ("Folder", folder),
    ]
    return [pair for pair in pairs if pair[1] is not None]


def _say_values(out: Output, title: str, values: Mapping[str, Any]) -> None:
    said = {key: value for key, value in values.items() if not key.startswith("_")}
    if not said:
        return
    out.text(f"\n{title}")
    first = list(said.items())[:_MOST_VALUES]
    out.pairs((f"  {shown(key)}", _said(value)) for key, value in first)
    if len(said) > len(first):
        out.text(f"  and {len(said) - len(first)} more; --json has all")


def _say_metrics(out: Output, run: RunRecord, keys: Mapping[str, KeyStats]) -> None:
    if not keys:
        out.text("\nNo metrics yet: MetricsLogger.log(), or wandb.log(), fills this.")
        return
    own = [one for one in keys.values() if not one.key.startswith("system/")] or [*keys.values()]
    out.text(f"\nMetrics ({len(keys)})")
    columns = [
        Column("  KEY", lambda one: f"  {one.key}"),
        Column("POINTS", lambda one: one.count, numeric=True),
        Column("LAST STEP", lambda one: one.last_step, numeric=True),
        Column("LAST VALUE", lambda one: one.last_value, numeric=True),
    ]
    out.rows(own[:_MOST_METRICS], columns, empty="")
    if len(keys) > len(own[:_MOST_METRICS]):
        left = len(keys) - len(own[:_MOST_METRICS])
        out.text(f"  and {left} more; `quark metrics ls {run.id}` lists all")


def _say_judgement(
    out: Output,
    run: RunRecord,
    health: tuple[HealthScoreRecord, ...],
    alerts: list[AlertRecord],
) -> None:
    if health:
        out.text("\nHealth")
        out.pairs((f"  {one.score_key}", f"{one.score:g} {one.status}") for one in health)
    if alerts:
        out.text(f"\nAlerts ({len(alerts)})")
        out.pairs((f"  {one.severity}", one.title) for one in alerts[:10])
        out.text(f"  `quark alerts ls {run.id}` says more")


def _said(value: Any) -> Any:
    """Return a value as short as it is told on a line: of media their type."""
    from quark import jsonio

    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping) and "_type" in value:
        return f"({value['_type']})"
    text = value if isinstance(value, str) else jsonio.dumps(value).decode()
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"
