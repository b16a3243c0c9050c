"""Several runs side by side: what they are, how they were set up, where they ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.dashboard.views.runs_rows import records_of
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place
    from quark.records import RunRecord
    from quark.storage.model import KeyStats

MAX_RUNS = 1000
#: Up to so many runs, the last values of metrics stand in for what a summary does not say yet.
_MAX_FOLLOWED = 60
_MAX_KEYS = 3000
_MAX_TEXT = 300
_MAX_DEPTH = 12
_HIDDEN = frozenset({"_wandb", "_timestamp"})

_ABSENT: Any = object()


def compare(place: Place, asked: Asked) -> dict[str, Any]:
    """Return runs with their configurations and summaries, key by key, and their metrics.

    Parameters: ``run``, several times. ``missing`` are those that are not there. A row of
    ``config`` and of ``summary`` has a value for each run, in a list of one, or null where a run
    has none; ``differs`` says whether they are not all the same. ``metrics`` are followed for 60
    runs at most, ``followed`` says for how many.
    """
    wanted = list(dict.fromkeys(asked.all("run")))
    if len(wanted) > MAX_RUNS:
        raise SchemaValidationError(
            f"{len(wanted)} runs are more than the {MAX_RUNS} that can be compared at once; choose "
            "fewer."
        )
    runs, missing = _read(place, wanted)
    stats: list[Mapping[str, KeyStats]] = []
    if len(runs) <= _MAX_FOLLOWED:
        stats = [place.store.points.keys(run.id) for run in runs]
    configs = [flattened(run.config) for run in runs]
    summaries = [_summary(run, stats[at] if stats else {}) for at, run in enumerate(runs)]
    return {
        "runs": [_shown(run) for run in runs],
        "missing": missing,
        "config": _rows(configs),
        "summary": _rows(summaries),
        "metrics": _metrics(stats),
        "followed": len(stats),
    }


def flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings by dotted keys; what is no scalar becomes its JSON.

    >>> flattened({"lr": 0.1, "model": {"depth": 2, "sizes": [8, 16]}})
    {'lr': 0.1, 'model.depth': 2, 'model.sizes': '[8, 16]'}
    """
    found: dict[str, Any] = {}
    for key, value in _leaves(values, "", 0):
        if len(found) >= _MAX_KEYS:
            break
        found[key] = value
    return found


def _leaves(values: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and "_type" not in value and depth < _MAX_DEPTH:
            yield from _leaves(value, f"{key}.", depth + 1)
        else:
            yield key, _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, Mapping) and "_type" in value:
        return f"({value['_type']})"
    if value is None:
        return "None"
    if isinstance(value, bool | float):
        return jsonio.to_plain(value)
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    text = value if isinstance(value, str) else jsonio.python_dumps(jsonio.to_plain(value))
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def _read(place: Place, wanted: Sequence[str]) -> tuple[list[RunRecord], list[str]]:
    found = records_of(place, wanted)
    runs = [found[run_id] for run_id in wanted if run_id in found]
    return runs, [run_id for run_id in wanted if run_id not in found]


def _shown(run: RunRecord) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name or run.id,
        "project": run.project_name,
        "status": run.status,
        "created_at": run.created_at,
        "ended_at": run.ended_at,
        "tags": list(run.tags),
        "group": run.group,
        "job_type": run.job_type,
    }


def _summary(run: RunRecord, stats: Mapping[str, KeyStats]) -> dict[str, Any]:
    found = {key: value for key, value in flattened(run.summary).items() if _is_shown(key)}
    for key, one in stats.items():
        if key not in found and not key.startswith("system/"):
            found[key] = jsonio.to_plain(one.last_value)
    return found


def _is_shown(key: str) -> bool:
    return key.partition(".")[0] not in _HIDDEN


def _rows(columns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    keys = dict.fromkeys(key for column in columns for key in column)
    found = []
    for key in list(keys)[:_MAX_KEYS]:
        values = [column.get(key, _ABSENT) for column in columns]
        first = values[0]
        differs = any(type(one) is not type(first) or one != first for one in values[1:])
        shown = [None if one is _ABSENT else [one] for one in values]
        found.append({"key": key, "values": shown, "differs": differs})
    return found


def _metrics(stats: Sequence[Mapping[str, KeyStats]]) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for keys in stats:
        for key in keys:
            counts[key] = counts.get(key, 0) + 1
    return [{"key": key, "runs": count} for key, count in counts.items()]
