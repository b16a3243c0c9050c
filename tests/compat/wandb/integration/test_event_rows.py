"""Rows of writers and of the script in one run: whatever comes when, each stays with its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from hypothesis import given, settings, strategies as st

from quark.compat.wandb.integration.event_rows import EventRows
from quark.compat.wandb.log import RowLog
from quark.compat.wandb.run import Run

WRITERS = ("train", "val")

#: What happens: a writer writes at a step, or the script logs and its row is complete or not.
EVENTS = st.one_of(
    st.tuples(st.sampled_from(WRITERS), st.integers(-1, 2)),
    st.tuples(st.just("script"), st.booleans()),
)


def journaled(events: Iterable[tuple[str, int]]) -> tuple[dict[int, dict[str, Any]], RowLog]:
    """Log values 0, 1, 2 ... as ``events`` say; return the rows by number, and the run."""
    rows: dict[int, dict[str, Any]] = {}

    def append(row: dict[str, Any], number: int) -> int:
        rows.setdefault(number, {}).update(row)
        return 0

    log = RowLog(append, 0)
    run, writers = cast(Run, log), EventRows()
    for value, (who, how) in enumerate(events):
        if who == "script":
            writers.log(run, {who: value}, None, bool(how))
        else:
            writers.add(run, who, how, {who: value})
    writers.close_all(run)
    return rows, log


def expected(events: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    """The rows in the order in which they were begun, found the plain way."""
    rows: list[dict[str, Any]] = []
    open_rows: dict[str, dict[str, Any]] = {}
    for value, (who, how) in enumerate(events):
        row = open_rows.get(who)
        if row is None or (who != "script" and row["global_step"] != how):
            row = open_rows[who] = {}
            rows.append(row)
        row[who] = value
        if who != "script":
            row["global_step"] = how
        elif how:
            del open_rows[who]
    return rows


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_every_row_has_what_one_writer_wrote_at_one_step_or_what_the_script_logged(
    events: list[tuple[str, int]],
) -> None:
    rows, run = journaled(events)

    assert [rows[number] for number in sorted(rows)] == expected(events)
    assert sorted(rows) == list(range(len(rows)))
    last = {who: value for value, (who, _) in enumerate(events)}
    assert {key: value for key, value in run._last.items() if key != "global_step"} == last


def test_a_step_of_the_scripts_own_tells_rows_apart_and_numbers_none() -> None:
    rows: dict[int, dict[str, Any]] = {}
    log = RowLog(lambda row, number: rows.setdefault(number, {}).update(row) or 0, 0)
    run, writers = cast(Run, log), EventRows()

    for step, key in ((100, "a"), (100, "b"), (101, "a")):
        writers.log(run, {key: step}, step, None)
        writers.add(run, "writer", step, {"loss": step})
    writers.close_all(run)

    assert [rows[number] for number in sorted(rows)] == [
        {"a": 100, "b": 100},
        {"loss": 100, "global_step": 100},
        {"a": 101},
        {"loss": 101, "global_step": 101},
    ]
