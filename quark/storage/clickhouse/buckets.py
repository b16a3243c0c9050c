"""Buckets of one key, cut by the server; exactly those of :mod:`quark.storage.bucketing`.

Three questions: where the steps begin and end; what is in each bucket, and its highest step; and
the points at those steps, of which the one that arrived last is looked up here. One question could
do it all, but comparing tuples is what servers are slow at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quark.storage.bucketing import Summaries, combine, cut, no_buckets, summarise
from quark.storage.clickhouse.engine import ClickHouseEngine
from quark.storage.clickhouse.literals import integer
from quark.storage.model import NO_STEP, Buckets, Series

if TYPE_CHECKING:
    from quark.storage.clickhouse.native import Answer
    from quark.storage.model import Float64Array, Int64Array

_SMALLER = "5.421010862427522e-20"  # 2**-64
_LARGER = 2.0**64


def read_buckets(engine: ClickHouseEngine, where: str, key: str, bucket_count: int) -> Buckets:
    """Cut the rows of one key that ``where`` selects into buckets.

    Raises:
        SessionStoreError: The server could not be reached, refused, or took too long.
    """
    where = f"{where} AND step != {integer(NO_STEP)}"
    range_ = engine.query(
        f"SELECT count() AS n, min(step) AS low, max(step) AS high FROM {engine.table} {where}"
    )
    if not int(range_.ints("n").sum()):
        return no_buckets(key)
    place = cut(int(range_.ints("low")[0]), int(range_.ints("high")[0]), bucket_count)
    finite = "isFinite(value)"
    answer = engine.query(
        f"SELECT intDiv(toUInt64(step - {integer(place.low)}), toUInt64({place.width})) AS bucket, "
        f"count() AS n, countIf({finite}) AS finite, minIf(value, {finite}) AS lowest, "
        f"maxIf(value, {finite}) AS highest, sumIf(value, {finite}) AS total, "
        f"sumIf(value * {_SMALLER}, {finite}) AS small_total, max(step) AS last_step "
        f"FROM {engine.table} FINAL {where} GROUP BY bucket"
    )
    last_step = answer.ints("last_step")
    last = _values_at(engine, where, last_step)
    return combine(key, place, [_summaries(answer, last_step, last)])


def bucket_series(series: Series, bucket_count: int) -> Buckets:
    """Cut points that are in memory, in order of arrival, into buckets."""
    has_step = series.step != NO_STEP
    step, value = series.step[has_step], series.value[has_step]
    if not len(step):
        return no_buckets(series.key)
    where = cut(int(step.min()), int(step.max()), bucket_count)
    return combine(series.key, where, [summarise(where, step, value, np.arange(len(step)))])


def _values_at(engine: ClickHouseEngine, where: str, steps: Int64Array) -> Float64Array:
    """Return the value that arrived last at each step."""
    listed = ", ".join(map(str, steps.tolist()))
    answer = engine.query(
        "SELECT step, argMax(value, (seq, occurrence)) AS last, max(arrival) AS latest "
        f"FROM {engine.table} {where} AND step IN ({listed}) GROUP BY step, writer_id"
    )
    step = answer.ints("step")
    order = np.lexsort((answer.ints("latest"), step))
    found = np.searchsorted(step[order], steps, side="right") - 1
    return answer.floats("last")[order[found]]


def _summaries(answer: Answer, last_step: Int64Array, last: Float64Array) -> Summaries:
    count, finite_count = answer.ints("n"), answer.ints("finite")
    divisor = np.maximum(finite_count, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = answer.floats("total") / divisor
        scaled = answer.floats("small_total") / divisor * _LARGER
    limit = np.finfo(np.float64).max
    is_empty = finite_count == 0
    return Summaries(
        bucket=answer.unsigned("bucket"),
        point_count=count,
        nonfinite_count=count - finite_count,
        minimum=np.where(is_empty, np.inf, answer.floats("lowest")),
        maximum=np.where(is_empty, -np.inf, answer.floats("highest")),
        mean=np.clip(np.where(np.isfinite(mean), mean, scaled), -limit, limit),
        last=last,
        last_step=last_step,
        last_order=np.zeros(len(count), dtype=np.int64),
    )
