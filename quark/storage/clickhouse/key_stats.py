"""What is known of each key of a run, counted by the server."""

from __future__ import annotations

from quark.storage.axis import step_or_none
from quark.storage.clickhouse.engine import ClickHouseEngine
from quark.storage.clickhouse.literals import integer
from quark.storage.clickhouse.native import Answer
from quark.storage.model import NO_STEP, KeyStats

_HAS_STEP = f"step != {integer(NO_STEP)}"
_COUNTED = (
    "SELECT CAST(key AS String) AS name, count() AS n, countIf(NOT isFinite(value)) AS odd, "
    f"countIf({_HAS_STEP}) AS stepped, minIf(step, {_HAS_STEP}) AS low, "
    f"maxIf(step, {_HAS_STEP}) AS high, max(occurrence) AS repeated, "
    "min(seq) AS first_seq, argMinIf(arrival, seq, occurrence = 0) AS first_arrival, "
    "argMinIf(place, seq, occurrence = 0) AS first_place, max(arrival) AS last_arrival, "
    "argMax(step, {last}) AS last_step, argMax(epoch, {last}) AS last_epoch, "
    "argMax(time_us, {last}) AS last_time_us, argMax(value, {last}) AS last_value "
    "FROM {table} FINAL WHERE {where} GROUP BY name, writer_id"
)


def read_keys(engine: ClickHouseEngine, where: str) -> dict[str, KeyStats]:
    """Return every key of the rows that ``where`` selects, by first arrival.

    Raises:
        SessionStoreError: The server could not be reached, refused, or took too long.
    """
    # Comparing tuples is slow, and a frame that has a key twice is rare.
    for last in ("seq", "(seq, occurrence)"):
        answer = engine.query(_COUNTED.format(last=last, table=engine.table, where=where))
        if not answer.ints("repeated").any():
            break
    return _stats(answer)


def _stats(answer: Answer) -> dict[str, KeyStats]:
    """Join what was counted by key and writer."""
    names = answer.strings("name")
    columns = ("n", "odd", "stepped", "low", "high", "first_arrival", "first_seq", "first_place",
               "last_arrival", "last_step", "last_epoch", "last_time_us")  # fmt: skip
    ints = {column: answer.ints(column).tolist() for column in columns}
    values = answer.floats("last_value").tolist()

    def first(row: int) -> tuple[int, ...]:
        return tuple(ints[f"first_{part}"][row] for part in ("arrival", "seq", "place"))

    rows_of: dict[str, list[int]] = {}
    for row in sorted(range(len(names)), key=first):
        rows_of.setdefault(names[row], []).append(row)
    stats = {}
    for key, rows in rows_of.items():
        last = max(rows, key=lambda row: ints["last_arrival"][row])
        stepped = [row for row in rows if ints["stepped"][row]]
        stats[key] = KeyStats(
            key=key,
            count=sum(ints["n"][row] for row in rows),
            nonfinite_count=sum(ints["odd"][row] for row in rows),
            step_min=min((ints["low"][row] for row in stepped), default=None),
            step_max=max((ints["high"][row] for row in stepped), default=None),
            last_step=step_or_none(ints["last_step"][last]),
            last_epoch=step_or_none(ints["last_epoch"][last]),
            last_time_us=ints["last_time_us"][last],
            last_value=values[last],
        )
    return stats
