"""The fields of a run by the names that filters and orders of ``Api().runs`` have for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from quark.clock import parse_timestamp
from quark.compat.wandb.api_filters import ABSENT, inside

if TYPE_CHECKING:
    from quark.compat.wandb.api_run import ApiRun

_NAMES = {
    "display_name": "name",
    "displayName": "name",
    "name": "id",
    "run_id": "id",
    "jobType": "job_type",
    "description": "notes",
    "createdAt": "created_at",
    "heartbeatAt": "heartbeat_at",
    "updated_at": "heartbeat_at",
    "user": "username",
    "user.username": "username",
    "sweep": "sweep_name",
    "sweepName": "sweep_name",
    "sweep.name": "sweep_name",
}
_FIELDS = frozenset(
    {
        *("id", "name", "state", "tags", "group", "job_type", "notes", "created_at", "project"),
        *("heartbeat_at", "username", "entity", "sweep_name", "exit_code", "commit"),
    }
)
TIMES = frozenset({"created_at", "heartbeat_at"})


def field(run: ApiRun, path: str) -> Any:
    """Return a field of a run, or ``ABSENT``. Times are microseconds since 1970."""
    head, _, rest = path.partition(".")
    if head == "config" and rest:
        return _config_value(run.config, rest)
    if head in ("summary_metrics", "summaryMetrics", "summary") and rest:
        return inside(run.summary, rest)
    name = _NAMES.get(path, path)
    if name not in _FIELDS:
        return ABSENT
    value = getattr(run, name)
    if name in TIMES and value:
        return parse_timestamp(value)
    return ABSENT if value is None else value


def _config_value(config: Mapping[str, Any], path: str) -> Any:
    """Return a value of the config; W&B also has it as ``lr.value`` and ``model.value.depth``."""
    found = inside(config, path)
    key, _, rest = path.partition(".")
    if found is not ABSENT or rest.partition(".")[0] != "value" or key not in config:
        return found
    deeper = rest.partition(".")[2]
    return inside(config, f"{key}.{deeper}" if deeper else key)


def with_times(filters: Any) -> Any:
    """Return filters whose moments are those of :func:`field`: microseconds since 1970.

    Raises:
        ValueError: What a time is compared with is none.
    """
    if isinstance(filters, list):
        return [with_times(part) for part in filters]
    if not isinstance(filters, Mapping):
        return filters
    return {
        word: _moments(wanted) if _NAMES.get(word, word) in TIMES else with_times(wanted)
        for word, wanted in filters.items()
    }


def _moments(wanted: Any) -> Any:
    if isinstance(wanted, Mapping):
        return {
            word: operand if word in ("$exists", "$regex", "$options") else _moments(operand)
            for word, operand in wanted.items()
        }
    if isinstance(wanted, (list, tuple)):
        return [_moments(item) for item in wanted]
    if isinstance(wanted, (date, datetime)):
        wanted = wanted.isoformat()
    return parse_timestamp(wanted) if isinstance(wanted, str) else wanted


def sort_key(order: str) -> Callable[[ApiRun], Any]:
    """Return what runs are sorted by: numbers before texts, and a run without the field first."""
    path = order.lstrip("+-")

    def key(run: ApiRun) -> tuple[int, Any]:
        value = field(run, path)
        if value is ABSENT or value is None:
            return (0, 0)
        if isinstance(value, (int, float)):
            return (1, value)
        return (2, value) if isinstance(value, str) else (3, str(value))

    return key


def narrowed(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of ``filters`` the store itself can look for, as arguments of ``RunQuery``."""
    found: dict[str, Any] = {}
    if isinstance(filters.get("group"), str):
        found["group"] = filters["group"]
    if isinstance(filters.get("tags"), str):
        found["tags"] = (filters["tags"],)
    if filters.get("state") == "finished":
        found["status"] = "completed"
    return found
