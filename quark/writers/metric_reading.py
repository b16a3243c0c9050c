"""From packed points back to metric records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from quark.clock import format_timestamp
from quark.ids import record_id
from quark.records import MetricNoteRecord, MetricRecord
from quark.storage.batch import NO_STEP
from quark.storage.model import RecordFilter, StepRange

if TYPE_CHECKING:
    from quark.storage.model import Series
    from quark.storage.protocols import Store


def read_metrics(
    store: Store,
    run_id: str,
    *,
    metric_key: str | None,
    namespace: str | None,
    metric_name: str | None,
    steps: StepRange,
) -> tuple[MetricRecord, ...]:
    """Return the run's samples that fit, in order of arrival."""
    keys = [
        key
        for key in store.points.keys(run_id)
        if _fits(key, metric_key=metric_key, namespace=namespace, metric_name=metric_name)
    ]
    found = store.points.many_series(run_id, keys, steps)
    placed = [entry for series in found.values() for entry in _records(run_id, series)]
    several_writers = len({place[0] for place, _ in placed}) > 1
    placed.sort(key=lambda entry: _order(entry[0], several_writers))
    if steps.limit is not None:
        placed = placed[len(placed) - steps.limit :] if steps.limit < len(placed) else placed
    return _annotated(store, run_id, [record for _, record in placed])


#: Writer, seq and time of a sample.
_Place = tuple[str, int, int]


def _order(place: _Place, several_writers: bool) -> tuple[int, int]:
    """Seqs of different writers cannot be compared; their clocks can."""
    _, seq, time_us = place
    return (time_us, seq) if several_writers else (seq, time_us)


def _fits(
    key: str, *, metric_key: str | None, namespace: str | None, metric_name: str | None
) -> bool:
    space, _, name = key.rpartition("/")
    return (
        (metric_key is None or key == metric_key)
        and (namespace is None or space == namespace)
        and (metric_name is None or name == metric_name)
    )


def _records(run_id: str, series: Series) -> list[tuple[_Place, MetricRecord]]:
    space, _, name = series.key.rpartition("/")
    rows = zip(
        series.writer.tolist(),
        series.seq.tolist(),
        series.step.tolist(),
        series.epoch.tolist(),
        series.time_us.tolist(),
        series.value.tolist(),
        strict=True,
    )
    return [
        (
            (series.writers[writer], seq, time_us),
            MetricRecord(
                id=record_id(series.writers[writer], seq),
                run_id=run_id,
                timestamp=format_timestamp(time_us),
                metric_key=series.key,
                namespace=space or None,
                metric_name=name,
                value=value,
                step=None if step == NO_STEP else step,
                epoch=None if epoch == NO_STEP else epoch,
            ),
        )
        for writer, seq, step, epoch, time_us, value in rows
    ]


def _annotated(store: Store, run_id: str, records: list[MetricRecord]) -> tuple[MetricRecord, ...]:
    """Put descriptions and metadata back where samples have them."""
    keys = tuple({record.metric_key for record in records})
    where = RecordFilter(equals={"metric_key": keys})
    notes = {
        (note.id, note.metric_key): note
        for note in store.records.read(MetricNoteRecord, run_id, where)
    }
    if not notes:
        return tuple(records)
    return tuple(
        replace(record, description=note.description, metadata=note.metadata)
        if (note := notes.get((record.id, record.metric_key)))
        else record
        for record in records
    )
