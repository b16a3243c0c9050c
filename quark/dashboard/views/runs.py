"""The list of runs, as a table shows it: searched, filtered, sorted, grouped and cut by the
server. What is asked is the same for all of these views, see
:class:`quark.dashboard.views.runs_listing.Listing`.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from quark.clock import SYSTEM_CLOCK
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.runs_cells import plain_group, plain_row
from quark.dashboard.views.runs_columns import column_head, default_columns, drawn_metrics
from quark.dashboard.views.runs_csv import as_csv
from quark.dashboard.views.runs_depth import deepen
from quark.dashboard.views.runs_fields import OWN, Field, field
from quark.dashboard.views.runs_listing import Listing
from quark.dashboard.views.runs_order import Group
from quark.dashboard.views.series import cut_curve
from quark.errors import RunNotFoundError, SchemaValidationError

_MAX_COLUMNS = 60
_MAX_DETAILED = 100
_SPARK_POINTS = 56
#: Seconds that one answer takes; what it does not come to is asked for again.
_DETAIL_SECONDS = 0.25


def projects(place: Place, asked: Asked) -> dict[str, Any]:
    """Return the names of the projects that have runs."""
    return {"projects": [one.name for one in place.store.records.list_projects()]}


def table(place: Place, asked: Asked) -> dict[str, Any]:
    """Return ``limit`` lines of the table from ``offset`` on, with the chosen columns.

    Asked besides: ``column`` (fields, in order; what the runs differ in, if left out), ``typing``
    (1: what is wrong with a filter is answered as ``problem``, since half of one is no fault).
    ``revision`` changes when any run of the store does; ``pending`` says of how many runs the
    answer still needs what rests in their own files: it is another one then, soon.
    """
    listing = Listing(place, asked)
    try:
        listing.query  # noqa: B018 - it is read when it is first asked for
    except SchemaValidationError as error:
        if asked.choice("typing", ("0", "1")) == "0":
            raise
        return {"problem": str(error)}
    columns = _columns(listing, asked)
    first = asked.integer("offset", 0, 0, 10**9)
    limit = asked.integer("limit", 100, 1, 1000)
    found = listing.found
    level = len(listing.group_fields)
    rows = [
        plain_group(line, listing.group_fields, columns, listing.now_us)
        if isinstance(line, Group)
        else plain_row(line, columns, level)
        for line in found.lines[first : first + limit]
    ]
    return {
        "rows": rows,
        "offset": first,
        "total": len(found.lines),
        "runs": len(found.rows),
        "all": len(listing.shown),
        "archived": sum(row.is_archived for row in listing.every),
        "statuses": listing.statuses(),
        "columns": [column_head(one, listing.known) for one in columns],
        "sort": {"id": listing.sort.name, "descending": listing.descending},
        "metrics": drawn_metrics(listing.known)[:200],
        "left_out": sum(row.left_out > 0 for row in listing.shown),
        "pending": listing.pending,
        "revision": listing.revision,
    }


def columns(place: Place, asked: Asked) -> dict[str, Any]:
    """Return every column that the table can have, with values to filter by."""
    listing = Listing(place, asked)
    own = [{**column_head(one, {}), "values": _own_values(listing, one)} for one in OWN.values()]
    return {
        "own": own,
        "found": [column.to_plain() for column in listing.known.values()],
        "runs": len(listing.shown),
    }


def run_ids(place: Place, asked: Asked) -> dict[str, Any]:
    """Return the ids of all runs that are asked for, in order; ``within``: those of one group."""
    listing = Listing(place, asked)
    path = asked.text("within")
    rows = listing.found.rows if path is None else listing.within(path)
    return {"run_ids": [row.id for row in rows]}


def csv_file(place: Place, asked: Asked) -> Response:
    """Return all runs that are asked for as CSV, with the chosen columns, or with ``every`` (1)
    one."""
    listing = Listing(place, asked)
    chosen = _columns(listing, asked)
    if asked.choice("every", ("0", "1")) == "1":
        chosen = [*OWN.values(), *(field(name) for name in listing.known)]
    names = {one.name for one in chosen}
    fields = [*(OWN[name] for name in ("id", "name") if name not in names), *chosen]
    text = as_csv(listing.found.rows, fields, listing.now_us)
    return Response(
        "\ufeff" + text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="runs.csv"'},
    )


def details(place: Place, asked: Asked) -> dict[str, Any]:
    """Return what rows in sight show of the runs' own files: health, last values of metrics while
    a run goes on (``cells``), and a small line of one metric.

    Asked: ``run`` (several times), ``spark`` (a metric's key), ``column``. Runs that are not there
    any more are left out; those that there was no time for are named in ``left``.
    """
    run_ids = asked.all("run")
    if len(run_ids) > _MAX_DETAILED:
        raise SchemaValidationError(
            f"{len(run_ids)} runs are too many at once; ask for at most {_MAX_DETAILED}."
        )
    listing = Listing(place, Asked({}))
    rows = [listing.by_id[run_id] for run_id in run_ids if run_id in listing.by_id]
    key = asked.text("spark")
    wanted = [field(name) for name in asked.all("column")[:_MAX_COLUMNS]]
    until = SYSTEM_CLOCK.monotonic() + _DETAIL_SECONDS
    listing.judge()
    shows_last = any(column.name not in OWN for column in wanted)
    found: dict[str, Any] = {}
    changed = False
    for row in rows:
        if shows_last:
            changed |= deepen(place.store, [row], listing.now_us, budget_seconds=0)[0]
        one = plain_row(row, wanted, 0)
        cells = {name: one["cells"][name] for name in one["live"]}
        found[row.id] = {"health": row.health, "cells": cells}
        if key is not None:
            found[row.id]["spark"] = _spark(place, row.id, key)
        if SYSTEM_CLOCK.monotonic() > until:
            break
    if changed:
        listing.touch()
    return {"details": found, "left": [row.id for row in rows if row.id not in found]}


def _spark(place: Place, run_id: str, key: str) -> dict[str, Any] | None:
    """Return a series of at most some fifty points; None if there is none."""
    try:
        buckets = place.store.points.buckets(run_id, key, _SPARK_POINTS)
        if len(buckets.step_start):
            return {"x": buckets.step_start.tolist(), "y": buckets.mean.tolist()}
        stats = place.store.points.keys(run_id).get(key)
    except RunNotFoundError:
        return None
    if stats is None:
        return None
    return _by_time(place, run_id, key)


def _by_time(place: Place, run_id: str, key: str) -> dict[str, Any] | None:
    """Return a series whose points have no steps."""
    import numpy as np

    from quark.dashboard.views.series import curve

    series = place.store.points.series(run_id, key)
    known = np.ones(len(series), dtype=np.bool_)
    cut = cut_curve(curve(series.time_us, series.value, known), _SPARK_POINTS, thin=True)
    return {"x": [(x - cut["x"][0]) / 1e6 for x in cut["x"]], "y": cut["mean"]}


def _columns(listing: Listing, asked: Asked) -> list[Field]:
    names = asked.all("column")
    if len(names) > _MAX_COLUMNS:
        raise SchemaValidationError(
            f"{len(names)} columns are too many; a table shows at most {_MAX_COLUMNS}."
        )
    if not names:
        one_project = listing.project is not None
        names = default_columns(listing.shown, listing.known, one_project=one_project)
    return [field(name, listing.known) for name in dict.fromkeys(names) if name != "name"]


def _own_values(listing: Listing, one: Field) -> list[str]:
    """Return values that a field of the run's own has, where they are few."""
    if one.kind != "exact" or one.name == "parent":
        return []
    found: dict[str, int] = {}
    for row in listing.shown:
        value = one.value(row, 0)
        for text in value if isinstance(value, tuple) else (value,):
            if text:
                found[text] = found.get(text, 0) + 1
    return sorted(found, key=lambda text: -found[text])[:100]
