"""``quark events``: what happened during a run."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import click

from quark.cli.asked_run import with_run
from quark.cli.output import Output, lines_of, object_of, shown, with_output

if TYPE_CHECKING:
    from quark.cli.asked_run import AskedRun
    from quark.storage.model import StoredRecord

_SCHEMA = lines_of(
    object_of(
        id="string",
        time="string",
        type="string",
        severity="string",
        step="integer|null",
        epoch="integer|null",
        payload="object",
    )
)
SEVERITIES = ("debug", "info", "warning", "error", "critical")
_LONGEST_TEXT = 400


@click.group("events")
def events() -> None:
    """What happened during a run.

    \b
    quark events tail rpwnn -f
    """


@events.command("tail")
@with_run
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only those; several times.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Those that are at least so.")
@click.option("--lines", "-n", type=click.IntRange(min=0), default=20, show_default=True)
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends.")
@with_output(_SCHEMA)
def tail_events(
    out: Output,
    asked: AskedRun,
    types: tuple[str, ...],
    severity: str | None,
    lines: int,
    follow: bool,
) -> None:
    """Print the last events of a run, and those that come.

    \b
    quark events tail rpwnn -f
    quark events tail rpwnn -n 1000 --type alert_raised --severity warning --json
    """
    from quark.cli.following import NewRecords, rounds

    least = 0 if severity is None else SEVERITIES.index(severity)

    def fits(event: dict[str, Any]) -> bool:
        return (not types or event["type"] in types) and _rank(event["severity"]) >= least

    asked.read()
    records = NewRecords(asked.store, asked.run_id, ("event",))
    found = 0
    for number, _ in enumerate(rounds(asked, follow=follow)):
        new = filter(fits, map(_event, records.take()))
        for event in deque(new, maxlen=lines) if number == 0 else new:
            found += 1
            out.line(event) if out.as_json else out.text(_line(event))
    if not found and not follow and lines:
        out.note(
            "No event fits." if types or severity else "No events yet: EventLogger writes some."
        )


def _event(record: StoredRecord) -> dict[str, Any]:
    from quark import ids, jsonio
    from quark.clock import format_timestamp

    body = jsonio.loads(record.body)
    payload = body.get("payload")
    return {
        "id": ids.record_id(record.writer_id, record.seq, record.ordinal),
        "time": format_timestamp(record.time_us),
        "type": str(body.get("event_type", "")),
        "severity": str(body.get("severity") or "info"),
        "step": record.step,
        "epoch": record.epoch,
        "payload": payload if isinstance(payload, dict) else {},
    }


def _line(event: dict[str, Any]) -> str:
    from quark import jsonio

    payload = event["payload"]
    text = str(payload.get("message", "")) if set(payload) <= {"message", "identifier"} else ""
    if not text and payload:
        text = jsonio.dumps(payload).decode()
    place = "" if event["step"] is None else f"step {event['step']}"
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "…"
    parts = (event["time"][:19], f"{event['severity']:<8}", event["type"], place, text)
    return "  ".join(shown(part) for part in parts if part.strip())


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else 1
