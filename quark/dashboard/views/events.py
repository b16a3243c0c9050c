"""What happened during a run, as a table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from quark import jsonio
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.tails import Tails
from quark.records.event import SEVERITIES

if TYPE_CHECKING:
    from quark.storage.model import StoredRecord

_MAX_SAID = 300


class Event(NamedTuple):
    """One event. ``text`` is its payload as JSON."""

    id: str
    time_us: int
    event_type: str
    severity: str
    step: int | None
    epoch: int | None
    status: str | None
    text: str


def events(place: Place, asked: Asked) -> dict[str, Any]:
    """Return some of the events that fit, the newest first.

    Asked: ``q`` (a text in the type or the payload), ``type`` and ``severity`` (each several
    times; none is all), ``from``, ``limit``. Payloads are cut to a line.
    """
    types, severities = frozenset(asked.all("type")), frozenset(asked.all("severity"))
    for severity in severities:
        Asked({}, [("severity", severity)]).choice("severity", SEVERITIES)
    needle = (asked.text("q") or "").lower()
    tail = _TAILS.rows(place, asked["run_id"])
    rows = tail.rows
    fitting = [
        event
        for event in reversed(rows)
        if (not types or event.event_type in types)
        and (not severities or event.severity in severities)
        and (not needle or needle in event.text.lower() or needle in event.event_type.lower())
    ]
    start, limit = asked.integer("from", 0, 0, 10**9), asked.integer("limit", 100, 1, 2000)
    return {
        "total": len(rows),
        "dropped": tail.dropped,
        "matching": len(fitting),
        "types": dict(Counter(event.event_type for event in rows).most_common()),
        "severities": dict(Counter(event.severity for event in rows)),
        "from": start,
        "events": [
            {**event._asdict(), "text": event.text[:_MAX_SAID]}
            for event in fitting[start : start + limit]
        ],
    }


def event(place: Place, asked: Asked) -> dict[str, Any]:
    """Return all of one event. Asked: ``id``. ``event`` is null if there is none."""
    wanted = asked.text("id")
    for row in _TAILS.rows(place, asked["run_id"]).rows:
        if row.id == wanted:
            return {"event": {**row._asdict(), "payload": jsonio.loads(row.text)}}
    return {"event": None}


def _event(record: StoredRecord) -> Event:
    body = jsonio.loads(record.body)
    return Event(
        id=f"{record.writer_id}-{record.seq}-{record.ordinal}",
        time_us=record.time_us,
        event_type=str(body.get("event_type", "")),
        severity=str(body.get("severity") or "info"),
        step=record.step,
        epoch=record.epoch,
        status=body.get("status"),
        text=jsonio.dumps(body.get("payload") or {}).decode(),
    )


_TAILS = Tails(("event",), _event, size=lambda event: len(event.text), max_rows=100_000)
