"""What a table shows of runs beside their rows: health, and last values while a run goes on.

Health is one look-up for all runs of the store. Last values rest in the runs' own files, about a
millisecond a run, so they are looked up within a budget, for runs that go on alone, and kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK
from quark.errors import RunNotFoundError

if TYPE_CHECKING:
    from quark.dashboard.views.runs_rows import Row
    from quark.storage.protocols import Store

_MAX_LAST_VALUES = 300
#: How long last values that were looked up are taken for new.
_FRESH_US = 1_500_000


def judge(store: Store, rows: Iterable[Row]) -> bool:
    """Bring the health of rows up to date; say whether that changed any."""
    healths = store.records.healths()
    changed = False
    for row in rows:
        health = healths.get(row.id)
        found = (None, None) if health is None else (_number(health.score), health.status)
        if found != (row.health, row.health_status):
            row.health, row.health_status = found
            changed = True
    return changed


def _number(score: float) -> float | None:
    return score if score == score else None


def deepen(
    store: Store, rows: Iterable[Row], now_us: int, *, budget_seconds: float
) -> tuple[bool, int]:
    """Look up last values of the runs that go on; of many, as many as the budget allows, but of
    one at least.

    Returns:
        Whether any row has changed, and of how many rows nothing is known still.
    """
    stale = [row for row in rows if not row.is_over and now_us - row.looked_up_us > _FRESH_US]
    stale.sort(key=lambda row: row.looked_up_us)
    until = SYSTEM_CLOCK.monotonic() + budget_seconds
    changed = False
    for row in stale:
        changed |= look_up(store, row, now_us)
        if SYSTEM_CLOCK.monotonic() > until:
            break
    return changed, sum(row.looked_up_us == 0 for row in stale)


def look_up(store: Store, row: Row, now_us: int) -> bool:
    """Bring the last values of one row up to date; say whether that changed them."""
    before = row.last
    with contextlib.suppress(RunNotFoundError):  # deleted meanwhile
        row.last = _last_values(store, row)
    row.looked_up_us = now_us
    return before != row.last


def _last_values(store: Store, row: Row) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, stats in store.points.keys(row.id).items():
        name = f"summary.{key}"
        if name not in row.values and not key.startswith("system/"):
            found[name] = stats.last_value
            if len(found) >= _MAX_LAST_VALUES:
                break
    return found
