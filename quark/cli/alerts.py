"""``quark alerts``: what the analyzers say against runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from quark.cli.output import Column, Output, list_of, object_of, with_output
from quark.cli.target import opened, with_settings

if TYPE_CHECKING:
    from quark.records import AlertRecord
    from quark.settings import Settings

_SCHEMA = list_of(
    object_of(
        id="string",
        run_id="string",
        rule_id="string",
        category="string",
        severity="string",
        title="string",
        fact="string",
        inference="string",
        step_start="integer|null",
        step_end="integer|null",
        evidence="array",
        metadata="object",
    )
)
_SEVERITIES = ("info", "warning", "error", "critical")


@click.group("alerts")
def alerts() -> None:
    """What the analyzers say against runs.

    \b
    quark alerts ls rpwnn
    quark alerts ls --project digits --severity error
    """


@alerts.command("ls")
@click.argument("run_text", metavar="[RUN]", required=False)
@click.option("--project", "-p", help="Those of all runs of this project.")
@click.option("--severity", type=click.Choice(_SEVERITIES), help="Those that are at least so.")
@with_settings
@with_output(_SCHEMA)
def list_alerts(
    out: Output,
    settings: Settings,
    run_text: str | None,
    project: str | None,
    severity: str | None,
) -> None:
    """List the alerts of a run, or of a project, the worst first.

    \b
    quark alerts ls rpwnn
    quark alerts ls --project digits --severity error --json
    """
    from quark.analyzers.outputs import current_outputs
    from quark.cli.run_choice import chosen_run
    from quark.records import AlertRecord
    from quark.storage.model import RunQuery

    if (run_text is None) == (project is None):
        raise click.UsageError("Name a RUN or a --project, one of the two.")
    least = 0 if severity is None else _SEVERITIES.index(severity)
    with opened(settings) as store:
        if run_text is not None:
            runs = [chosen_run(store, run_text)]
        else:
            runs = list(store.records.list_runs(RunQuery(project=project)))
            if not runs:
                raise click.UsageError(
                    f"There is no project {project!r} with runs in {store.target}; "
                    "`quark project ls` lists those that there are."
                )
        found = [
            alert
            for run in runs
            for alert in current_outputs(store, run.id, AlertRecord, "alerts")
            if _rank(alert) >= least
        ]
    found = by_severity(found)
    if out.as_json:
        out.answer([alert.to_dict() for alert in found])
        return
    columns = [
        Column("SEVERITY", lambda alert: alert.severity),
        Column("STEPS", _steps, numeric=True, minor=True),
        Column("ALERT", lambda alert: alert.title),
        Column("FACT", lambda alert: alert.fact, fit="wrap"),
    ]
    if project is not None:
        columns.insert(0, Column("RUN", lambda alert: alert.run_id))
    is_open = any(run.status == "running" for run in runs)
    empty = "No alerts." if severity is None else f"No alerts of {severity} or worse."
    if is_open:
        empty += " A run that goes on is judged as it goes, and as a whole at its end."
    out.rows(found, columns, empty=empty)


def by_severity(found: Iterable[AlertRecord]) -> list[AlertRecord]:
    """Return alerts, the worst first."""
    return sorted(found, key=_rank, reverse=True)


def _rank(alert: AlertRecord) -> int:
    return _SEVERITIES.index(alert.severity) if alert.severity in _SEVERITIES else 0


def _steps(alert: Any) -> str | None:
    ends = [one for one in (alert.step_start, alert.step_end) if one is not None]
    return "–".join(map(str, dict.fromkeys(ends))) or None
