"""What can be asked of a row by name: to filter, sort, group and show it.

Names are the run's own (``status``, ``duration``), or a way into its configuration or summary
(``config.lr``, ``summary.val/loss``).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from typing import Any, Literal, NamedTuple

from quark.dashboard.views.runs_rows import Row
from quark.errors import SchemaValidationError

Value = Callable[[Row, int], Any]
Kind = Literal["text", "exact", "number", "seconds", "time", "flag", "free"]


class Field(NamedTuple):
    """How a value is found and compared.

    ``value`` gets the row and the time now in microseconds. ``kind``: ``exact`` texts are compared
    as a whole by ``:``, ``text`` by what is in them; ``free`` may be anything.
    """

    name: str
    title: str
    kind: Kind
    value: Value


def _duration(row: Row, now_us: int) -> float | None:
    if row.is_over and row.ended_us is None:
        return None
    end_us = now_us if row.ended_us is None else row.ended_us
    return max(0, end_us - row.created_us) / 1e6


_FIELDS = (
    Field("name", "Name", "text", lambda row, now_us: row.name or row.id),
    Field("id", "ID", "text", lambda row, now_us: row.id),
    Field("project", "Project", "exact", lambda row, now_us: row.project),
    Field("status", "Status", "exact", lambda row, now_us: row.status),
    Field("health", "Health", "number", lambda row, now_us: row.health),
    Field("tags", "Tags", "exact", lambda row, now_us: row.tags),
    Field("group", "Group", "exact", lambda row, now_us: row.group),
    Field("job_type", "Job type", "exact", lambda row, now_us: row.job_type),
    Field("notes", "Notes", "text", lambda row, now_us: row.notes),
    Field("created", "Created", "time", lambda row, now_us: row.created_us),
    Field("ended", "Ended", "time", lambda row, now_us: row.ended_us),
    Field("duration", "Duration", "seconds", _duration),
    Field("age", "Age", "seconds", lambda row, now_us: max(0, now_us - row.created_us) / 1e6),
    Field("parent", "Parent run", "exact", lambda row, now_us: row.parent),
    Field("archived", "Archived", "flag", lambda row, now_us: row.is_archived),
)
#: The run's own fields by name.
OWN: dict[str, Field] = {one.name: one for one in _FIELDS}
_OTHER_NAMES = {"tag": "tags", "state": "status", "run": "name", "job": "job_type", "note": "notes"}
#: Fields whose value is another one a second later.
MOVING = frozenset({"duration", "age"})
_PREFIXES = ("config.", "summary.")


def find_field(name: str) -> Field | None:
    """Return the field of a name, None if no field can have it."""
    own = OWN.get(_OTHER_NAMES.get(name.casefold(), name.casefold()))
    if own is not None:
        return own
    if name.startswith(_PREFIXES) and name not in _PREFIXES:
        return Field(name, name.partition(".")[2], "free", lambda row, now_us: row.value(name))
    return None


def field(name: str, known: Collection[str] = ()) -> Field:
    """Return the field of a name.

    Args:
        known: Names of values that there are, for the error to choose from.

    Raises:
        SchemaValidationError: No field can have this name.
    """
    found = find_field(name)
    if found is None:
        like = close_names(name, known)
        meant = f" Did you mean {' or '.join(like)}?" if like else ""
        raise SchemaValidationError(
            f"There is no field {name[:80]!r}.{meant} Fields are {', '.join(OWN)}, and "
            "config.KEY or summary.KEY. A text to search for is put in quotes."
        )
    return found


def close_names(name: str, known: Collection[str]) -> list[str]:
    """Return names that somebody may have meant."""
    ending = [one for one in known if one.partition(".")[2] == name]
    own = difflib.get_close_matches(name.casefold(), [*OWN, *_OTHER_NAMES], n=1, cutoff=0.75)
    return (ending + own)[:3]
