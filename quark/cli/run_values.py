"""Values of runs by the names that people give them: ``status``, ``config.lr``, ``summary.x``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK, parse_timestamp
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.protocols import Store

#: Of a run itself, by name.
FIELDS: dict[str, Callable[[RunRecord], Any]] = {
    "id": lambda run: run.id,
    "name": lambda run: run.name,
    "project": lambda run: run.project_name,
    "status": lambda run: str(run.status),
    "created": lambda run: run.created_at,
    "ended": lambda run: run.ended_at,
    "updated": lambda run: run.updated_at,
    "duration": lambda run: duration_seconds(run),
    "tags": lambda run: list(run.tags),
    "group": lambda run: run.group,
    "job_type": lambda run: run.job_type,
    "notes": lambda run: run.notes,
    "exit_code": lambda run: run.exit_code,
    "end_reason": lambda run: run.end_reason,
    "git_commit": lambda run: run.git_commit,
    "parent": lambda run: run.parent_run_id,
}


def check_name(name: str) -> str:
    """Return a name if it means a value of runs.

    Raises:
        SchemaValidationError: It does not.
    """
    section, dot, key = name.partition(".")
    if name in FIELDS or (section in ("config", "summary") and dot and key):
        return name
    raise SchemaValidationError(
        f"{name!r} is no value of a run. Those are {', '.join(FIELDS)}, config.KEY and summary.KEY."
    )


def value_of(store: Store, run: RunRecord, name: str) -> Any:
    """Return a value of a run, None if it has none.

    ``summary.KEY`` is the last value of a metric where no summary says otherwise; of a summary that
    has one number, such as ``{"min": 0.1}``, it is that.
    """
    if name in FIELDS:
        return FIELDS[name](run)
    section, _, key = name.partition(".")
    if section == "config":
        return _inside(run.config, key)
    found = _inside(run.summary, key)
    if isinstance(found, Mapping) and len(found) == 1:
        (only,) = found.values()
        found = only if isinstance(only, (int, float)) else found
    if found is None:
        stats = store.points.keys(run.id).get(key)
        found = None if stats is None else stats.last_value
    return found


def sort_key(value: Any) -> tuple[int, Any]:
    """Return what values of all kinds are sorted by: numbers, then texts, then what is not there.

    >>> sorted([None, "b", 2, float("nan"), 1.5, "a"], key=sort_key)[:4]
    [1.5, 2, 'a', 'b']
    """
    if isinstance(value, (int, float)) and not (isinstance(value, float) and math.isnan(value)):
        return 0, value
    if isinstance(value, str):
        return 1, value
    if value is None or isinstance(value, float):
        return 3, 0
    return 2, str(value)


def duration_seconds(run: RunRecord) -> float | None:
    """Return how long a run has taken so far."""
    if run.ended_at is None and run.status != "running":
        return None
    end_us = SYSTEM_CLOCK.time_us() if run.ended_at is None else parse_timestamp(run.ended_at)
    return max(0.0, (end_us - parse_timestamp(run.created_at)) / 1e6)


def _inside(values: Mapping[str, Any], key: str) -> Any:
    """Return a value by its key, or by the way to it through mappings, joined by dots."""
    if key in values:
        return values[key]
    first, dot, rest = key.partition(".")
    inner = values.get(first)
    return _inside(inner, rest) if dot and isinstance(inner, Mapping) else None
