"""Small batches, records and blocks to fill stores with, and how to compare what comes back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from quark import jsonio
from quark.storage.model import (
    NO_STEP,
    Batch,
    Buckets,
    EncodedRecord,
    KeyStats,
    PointBlock,
    Series,
)
from quark.storage.protocols import Store

#: 2001-09-09, so that times look like times.
START_US = 10**15

Row = tuple[int, int | None, int | None, int, Sequence[float]]


def record(
    seq: int,
    kind: str = "event",
    *,
    ordinal: int = 0,
    step: int | None = None,
    epoch: int | None = None,
    time_us: int | None = None,
    **body: Any,
) -> EncodedRecord:
    """Return a record as a shipper would hand it over."""
    if kind == "event":
        body.setdefault("event_type", "test")
    encoded = jsonio.dumps(body)
    when = START_US + seq if time_us is None else time_us
    return EncodedRecord(seq, ordinal, kind, step, epoch, when, encoded)


def run_record(seq: int = 1, *, time_us: int = START_US, **fields: Any) -> EncodedRecord:
    """Return the record that creates a run."""
    body = {"project_id": "proj_1", "project_name": "vision", **fields}
    return record(seq, "run", time_us=time_us, **body)


def block(keys: Sequence[str], rows: Sequence[Row]) -> PointBlock:
    """Return a block; a row is seq, step, epoch, time and one value a key."""
    return PointBlock(
        keys=tuple(keys),
        seq=np.array([row[0] for row in rows], dtype=np.int64),
        step=np.array([NO_STEP if row[1] is None else row[1] for row in rows], dtype=np.int64),
        epoch=np.array([NO_STEP if row[2] is None else row[2] for row in rows], dtype=np.int64),
        time_us=np.array([row[3] for row in rows], dtype=np.int64),
        values=np.array([row[4] for row in rows], dtype=np.float64).reshape(len(rows), len(keys)),
    )


def losses(first_seq: int, values: Sequence[float], *, key: str = "loss") -> PointBlock:
    """Return one key's block: frames count up from ``first_seq``, and steps with them from 0."""
    rows = enumerate(values, first_seq)
    return block([key], [(seq, seq - 1, None, START_US + seq, [value]) for seq, value in rows])


def batch(
    first_seq: int,
    last_seq: int,
    *content: PointBlock | EncodedRecord,
    run_id: str = "run-1",
    writer_id: str = "w1",
) -> Batch:
    """Return a batch of blocks and records."""
    return Batch(
        run_id=run_id,
        writer_id=writer_id,
        first_seq=first_seq,
        last_seq=last_seq,
        blocks=tuple(item for item in content if isinstance(item, PointBlock)),
        records=tuple(item for item in content if isinstance(item, EncodedRecord)),
    )


def create_run(store: Store, run_id: str = "run-1", **fields: Any) -> None:
    """Create a run as its first writer, "creator", does."""
    store.append(batch(1, 1, run_record(**fields), run_id=run_id, writer_id="creator"))


def log(store: Store, *blocks: PointBlock, writer_id: str = "w1", run_id: str = "run-1") -> None:
    """Append blocks as the next batch of a writer."""
    last_seq = max(int(each.seq[-1]) for each in blocks)
    first_seq = min(int(each.seq[0]) for each in blocks)
    store.append(batch(first_seq, last_seq, *blocks, run_id=run_id, writer_id=writer_id))


def bits(values: np.ndarray[Any, Any]) -> list[int]:
    """Return the bit patterns of floats, so that NaN equals itself and -0.0 is not 0.0."""
    found: list[int] = values.astype(np.float64).view(np.int64).tolist()
    return found


def points_of(series: Series) -> list[tuple[str, int, int, int, int, int]]:
    """Return a full series as one tuple a point: writer, seq, step, epoch, time, value's bits."""
    writers = [series.writers[number] for number in series.writer]
    columns = (series.seq, series.step, series.epoch, series.time_us)
    return list(
        zip(writers, *(column.tolist() for column in columns), bits(series.value), strict=True)
    )


def bucket_rows(buckets: Buckets) -> list[dict[str, Any]]:
    """Return buckets as one dict each."""
    names = [item.name for item in dataclasses.fields(buckets) if item.name != "key"]
    columns = [getattr(buckets, name).tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def assert_same_buckets(found: Buckets, expected: Buckets) -> None:
    """Compare buckets exactly, their means up to rounding."""
    found_rows, expected_rows = bucket_rows(found), bucket_rows(expected)
    assert len(found_rows) == len(expected_rows)
    for mine, theirs in zip(found_rows, expected_rows, strict=True):
        size = max(abs(theirs["minimum"]), abs(theirs["maximum"]), 1e-300)
        mean, expected_mean = mine.pop("mean"), theirs.pop("mean")
        for row in (mine, theirs):  # which of 0.0 and -0.0 is the lowest is nobody's promise
            row["minimum"] += 0.0
            row["maximum"] += 0.0
        assert repr(mine) == repr(theirs)
        if math.isnan(expected_mean):
            assert math.isnan(mean)
        else:
            assert abs(mean / size - expected_mean / size) < 1e-12


def plain_stats(stats: KeyStats) -> tuple[Any, ...]:
    """Return stats so that NaN equals itself."""
    values = dataclasses.asdict(stats)
    return tuple(repr(value) for value in values.values())
