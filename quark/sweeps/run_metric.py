"""What the run of a trial says of the sweep's metric, read from the store."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from quark.errors import RunNotFoundError
from quark.session.reading import deliver_tail
from quark.settings import Settings
from quark.sweeps.parameters import look_up

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.protocols import Store


def read_run(store: Store, run_id: str, settings: Settings) -> RunRecord | None:
    """Return a run with everything that any process logged to it so far; None if it has not begun.

    A run whose process died is marked so by this.
    """
    deliver_tail(store, run_id, settings)
    try:
        return store.records.get_run(run_id)
    except RunNotFoundError:
        return None


def metric_history(store: Store, run: RunRecord, name: str) -> list[float]:
    """Return the values of a metric in the order in which they were logged.

    A metric that was only set in the summary has that one value. Parts of a nested name are joined
    by dots.
    """
    series = store.points.series(run.id, name, columns="step_value")
    if len(series):
        return [float(value) for value in series.value]
    for path in ((name,), tuple(name.split("."))):
        try:
            value = as_number(look_up(run.summary, path))
        except KeyError:
            continue
        if value is not None:
            return [value]
    return []


def as_number(value: Any) -> float | None:
    """Return a value of a summary as a number; None if it is none."""
    if isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity"):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isinstance(value, str) or math.isfinite(number) else None
