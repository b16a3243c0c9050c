"""What a run wrote to its terminal, and what was logged with a severity, line by line."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from quark import jsonio
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.tails import Tails
from quark.records.event import SEVERITIES

if TYPE_CHECKING:
    from quark.storage.model import StoredRecord

STREAMS = ("stdout", "stderr", "log")
_MAX_TEXT = 20_000
_USER_LOG = "user_log"
#: What steers a terminal: colours, movements, titles.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
#: None of the others is in a line that does not have this; most do not.
_ANY = re.compile("CRITICAL|FATAL|ERROR|Traceback|Error|Exception|WARN|Warning|DEBUG")
_WORDS = (
    ("critical", re.compile(r"\b(?:CRITICAL|FATAL)\b")),
    ("error", re.compile(r"\bERROR\b|^Traceback \(|^\w*(?:\.\w+)*(?:Error|Exception)\b:?")),
    ("warning", re.compile(r"\bWARN(?:ING)?\b|\b\w+Warning\b:")),
    ("debug", re.compile(r"\bDEBUG\b")),
)
#: Where a logging library writes the word.
_LOOKED_AT = 200


class Line(NamedTuple):
    """One line, known by its ``position``. ``level`` is guessed where nobody said it."""

    position: int
    time_us: int
    stream: str
    level: str
    text: str


def logs(place: Place, asked: Asked) -> dict[str, Any]:
    """Return some of the lines that fit.

    Asked: ``q`` (a text in them, upper and lower case alike), ``stream`` and ``level`` (each
    several times; none is all), ``from`` (the place among those that fit; the last ones if it is
    missing), ``limit``.
    """
    wanted_levels = _checked(asked.all("level"), SEVERITIES, "level")
    wanted_streams = _checked(asked.all("stream"), STREAMS, "stream")
    needle = (asked.text("q") or "").lower()
    limit = asked.integer("limit", 200, 1, 1000)
    tail = _TAILS.rows(place, asked["run_id"])
    lines = tail.rows
    counts = Counter(line.level for line in lines)
    fitting = [
        line
        for line in lines
        if (not wanted_levels or line.level in wanted_levels)
        and (not wanted_streams or line.stream in wanted_streams)
        and (not needle or needle in plain_text(line.text).lower())
    ]
    start = asked.integer("from", max(0, len(fitting) - limit), 0, 10**9)
    return {
        "total": len(lines),
        "dropped": tail.dropped,
        "matching": len(fitting),
        "levels": {level: counts[level] for level in SEVERITIES if counts[level]},
        "from": start,
        "lines": [line._asdict() for line in fitting[start : start + limit]],
    }


def plain_text(text: str) -> str:
    r"""Return a line without what steers a terminal.

    >>> plain_text("\x1b[31mred\x1b[0m \x1b]0;title\x07end")
    'red end'
    """
    return _ANSI.sub("", text) if "\x1b" in text else text


def level_of(text: str) -> str:
    """Return how bad a line of a terminal is, by the words that logging libraries write.

    >>> level_of("2026-01-01 WARNING: slow"), level_of("ValueError: no"), level_of("loss 0.1")
    ('warning', 'error', 'info')
    """
    if "\x1b" not in text and not _ANY.search(text, 0, _LOOKED_AT):
        return "info"
    head = plain_text(text[: 2 * _LOOKED_AT])[:_LOOKED_AT]
    return next((level for level, words in _WORDS if words.search(head)), "info")


def _checked(given: list[str], among: tuple[str, ...], name: str) -> frozenset[str]:
    for word in given:
        Asked({}, [(name, word)]).choice(name, among)
    return frozenset(given)


def _line(record: StoredRecord) -> Line | None:
    body = jsonio.loads(record.body)
    if record.kind == "console_line":
        text = str(body.get("text", ""))[:_MAX_TEXT]
        stream = "stderr" if body.get("stream") == "stderr" else "stdout"
        return Line(record.position, record.time_us, stream, level_of(text), text)
    if body.get("event_type") != _USER_LOG:
        return None
    text = str((body.get("payload") or {}).get("message", ""))[:_MAX_TEXT]
    severity = body.get("severity")
    level = severity if severity in SEVERITIES else "info"
    return Line(record.position, record.time_us, "log", level, text)


_TAILS = Tails(("console_line", "event"), _line, size=lambda line: len(line.text))
