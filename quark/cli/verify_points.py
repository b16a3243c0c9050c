"""What a store gives of a run, counted in two ways: as it is kept, and as it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.cli.checks import Check, counted
from quark.errors import QuarkError
from quark.records import RECORD_KINDS, EventRecord
from quark.storage.batch import NO_STEP
from quark.storage.model import RecordFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.model import KeyStats, Series
    from quark.storage.protocols import Store

#: How many points are read at once, about.
_POINTS_AT_ONCE = 2_000_000
_BUCKETS = 64
_FRAMES_OF_A_WRITER = 2**44
_SHOWN = 3


@dataclass(slots=True)
class Traces:
    """What each writer left in the store, by the numbers of its frames."""

    point_count: int = 0
    record_count: int = 0
    seqs: dict[str, list[NDArray[np.int64]]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def add(self, writer_id: str, seqs: NDArray[np.int64]) -> None:
        """Note frames of a writer."""
        if len(seqs):
            self.seqs.setdefault(writer_id, []).append(np.unique(seqs))
            self.last[writer_id] = max(self.last.get(writer_id, 0), int(seqs.max()))

    def frames_of(self, writer_id: str) -> NDArray[np.int64]:
        """Return the frames of a writer that hold something, in order."""
        found = self.seqs.get(writer_id)
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)


def check_points(store: Store, run_id: str, traces: Traces) -> Iterator[Check]:
    """Decode every point; compare counts, last values and buckets with what the store says."""
    try:
        stats = store.points.keys(run_id)
        wrong = list(_wrong_keys(store, run_id, stats, traces))
    except QuarkError as error:
        yield Check("points", "problem", str(error), "Bring the run back from a backup.")
        return
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        yield Check("points", "problem", "; ".join(wrong[:_SHOWN]) + more)
    else:
        said = f"{counted(traces.point_count, 'point')} of {counted(len(stats), 'key')} decode"
        yield Check("points", "ok", f"{said}, and are served as they are kept")


def _wrong_keys(
    store: Store, run_id: str, stats: Mapping[str, KeyStats], traces: Traces
) -> Iterator[str]:
    for keys in _portions(stats):
        for key, series in store.points.many_series(run_id, keys).items():
            traces.point_count += len(series)
            for index, writer_id in enumerate(series.writers):
                traces.add(writer_id, series.seq[series.writer == index])
            said = _wrong(series, stats[key], _bucketed(store, run_id, key))
            if said:
                yield f"{key}: {said}"


def _portions(stats: Mapping[str, KeyStats]) -> Iterator[list[str]]:
    keys: list[str] = []
    count = 0
    for key, known in stats.items():
        keys.append(key)
        count += known.count
        if count >= _POINTS_AT_ONCE:
            yield keys
            keys, count = [], 0
    if keys:
        yield keys


def _bucketed(store: Store, run_id: str, key: str) -> int:
    return int(store.points.buckets(run_id, key, _BUCKETS).count.sum())


def _wrong(series: Series, stats: KeyStats, bucketed: int) -> str:
    # What arrives meanwhile may only add.
    if len(series) < stats.count:
        return f"{stats.count} points are counted and {len(series)} can be read"
    twice = len(series) - len(np.unique(series.writer * _FRAMES_OF_A_WRITER + series.seq))
    if twice:
        return f"{twice} points are there twice"
    with_step = int((series.step != NO_STEP).sum())
    if bucketed < with_step:
        return f"charts show {bucketed} of its {with_step} points"
    if len(series) == stats.count and not _same(float(series.value[-1]), stats.last_value):
        return f"its last value is {float(series.value[-1])!r}, and {stats.last_value!r} is served"
    return ""


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


def check_records(store: Store, run_id: str, traces: Traces) -> Iterator[Check]:
    """Read every record as what it is, and compare their counts."""
    kinds = [kind for kind in RECORD_KINDS if kind != "metric"]
    seen: dict[str, int] = {}
    places: dict[str, list[tuple[int, int]]] = {}
    try:
        for part in store.records.scan(run_id, kinds):
            for record in part:
                seen[record.kind] = seen.get(record.kind, 0) + 1
                places.setdefault(record.writer_id, []).append((record.seq, record.ordinal))
        stored = store.records.count(run_id)
        read = {
            kind: len(store.records.read(RECORD_KINDS[kind], run_id))
            for kind in stored
            if kind in kinds
        }
    except QuarkError as error:
        yield Check("records", "problem", str(error), "Bring the run back from a backup.")
        return
    twice = 0
    for writer_id, found in places.items():
        twice += len(found) - len(set(found))
        traces.add(writer_id, np.array([seq for seq, _ in found], dtype=np.int64))
    traces.record_count = sum(seen.values())
    wrong = [
        f"{kind}: {seen.get(kind, 0)} are kept, {count} counted and {read.get(kind, 0)} served"
        for kind, count in stored.items()
        if kind in kinds and not seen.get(kind, 0) <= count <= read.get(kind, 0)
    ]
    if twice:
        wrong.append(f"{twice} records are there twice")
    if wrong:
        yield Check("records", "problem", "; ".join(wrong[:_SHOWN]))
    else:
        said = f"{counted(traces.record_count, 'record')} of {counted(len(seen), 'kind')}"
        yield Check("records", "ok", f"{said} can be read, and are served as they are kept")
    yield from _losses(store, run_id)


def _losses(store: Store, run_id: str) -> Iterator[Check]:
    """Say what was lost before it was kept, as the run itself says."""
    lost = RecordFilter(equals={"event_type": ("records_dropped", "artifact_lost")})
    for event in store.records.read(EventRecord, run_id, lost):
        payload: Mapping[str, Any] = event.payload
        said = ", ".join(f"{name} {value}" for name, value in payload.items())
        yield Check("losses", "warning", f"{event.event_type.replace('_', ' ')}: {said}")
