"""From frames to the columns that a store takes. Runs on the shipper's thread.

Rows that hold the same keys become one block, so that a key costs a few nanoseconds and the axis
is kept once for all of them. A row that holds more than numbers is split: numbers become points,
the rest :class:`~quark.records.HistoryValueRecord`; nested dicts are flattened to dotted keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.pipeline.frames import METRIC, RECORD, RECORDS, ROW, ROW_EXACT, Frame
from quark.pipeline.rows import decode_exact
from quark.records import HistoryValueRecord, MetricNoteRecord
from quark.storage.batch import MAX_KEY_BYTES, NO_STEP, Batch, EncodedRecord, PointBlock

_NUMBERS = frozenset({float, int})
_EXACT_FLOAT = 2**53
#: A dict that says what it is stays whole: media, tables, histograms.
_TYPE_MARK = "_type"


@dataclass(slots=True)
class RowGroup:
    """Rows with the same keys, while they are being collected."""

    seq: list[int] = field(default_factory=list)
    time_us: list[int] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    epoch: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, frame: Frame, values: Iterable[Any], epoch: int = NO_STEP) -> None:
        self.seq.append(frame.seq)
        self.time_us.append(frame.time_us)
        self.step.append(frame.step)
        self.epoch.append(epoch)
        self.values.extend(values)


Groups = dict[tuple[str, ...], RowGroup]


class _Decoder:
    def __init__(self, on_loss: Callable[[str, str], None]) -> None:
        self._on_loss = on_loss
        self.rows: Groups = {}
        self.points: Groups = {}
        self.records: list[EncodedRecord] = []

    def add_rows(self, frames: Sequence[Frame]) -> None:
        """Take rows of plain JSON: one parse for all of them."""
        parsed = jsonio.loads(b"[" + b",".join([frame.body for frame in frames]) + b"]")
        groups = self.rows
        for frame, row in zip(frames, parsed, strict=True):
            keys = tuple(row)
            group = groups.get(keys)
            if group is None:
                group = groups[keys] = RowGroup()
            group.add(frame, row.values())

    def add_mixed(self, frame: Frame, row: Mapping[str, Any]) -> None:
        """Take a row that may hold more than numbers."""
        points: dict[str, float] = {}
        ordinal = 0
        for key, value in _flat(row):
            if not _is_key(key):
                self._on_loss("history row", "bad_key")
            elif type(value) in _NUMBERS and _fits(value):
                points[key] = value
            else:
                self.records.append(_value_record(frame, ordinal, key, value))
                ordinal += 1
        self._add_points(frame, tuple(points), points.values(), NO_STEP)

    def add_metrics(self, frames: Sequence[Frame]) -> None:
        """Take native samples: ``[key, value, epoch, description, metadata]``."""
        parsed = jsonio.loads(b"[" + b",".join([frame.body for frame in frames]) + b"]")
        for frame, (key, value, epoch, description, metadata) in zip(frames, parsed, strict=True):
            epoch = NO_STEP if epoch is None else epoch
            self._add_points(frame, (key,), (value,), epoch)
            if description is not None or metadata:
                self.records.append(_note_record(frame, epoch, key, description, metadata))

    def add_records(self, frame: Frame) -> None:
        """Take one record, or several of the same kind, step and epoch: their kind, a zero byte,
        a JSON body a line."""
        kind, _, bodies = frame.body.partition(b"\0")
        lines = bodies.split(b"\n") if frame.kind == RECORDS else [bodies]
        epoch = jsonio.loads(lines[0]).get("epoch") if b'"epoch"' in lines[0] else None
        step = None if frame.step == NO_STEP else frame.step
        name = kind.decode()
        self.records.extend(
            EncodedRecord(frame.seq, ordinal, name, step, epoch, frame.time_us, body)
            for ordinal, body in enumerate(lines)
        )

    def _add_points(
        self, frame: Frame, keys: tuple[str, ...], values: Iterable[Any], epoch: int
    ) -> None:
        if not keys:
            return
        group = self.points.get(keys)
        if group is None:
            group = self.points[keys] = RowGroup()
        group.add(frame, values, epoch)

    def blocks(self) -> tuple[PointBlock, ...]:
        for keys, group in list(self.rows.items()):
            if not _all_plain(keys, group.values):
                del self.rows[keys]
                self._split(keys, group)
        found = [
            (keys, group)
            for groups in (self.rows, self.points)
            for keys, group in groups.items()
            if keys
        ]
        if not found:
            return ()
        from quark.pipeline.blocks import block_of  # numpy: not before there are points

        return tuple(block_of(keys, group) for keys, group in found)

    def _split(self, keys: tuple[str, ...], group: RowGroup) -> None:
        width = len(keys)
        for index, seq in enumerate(group.seq):
            frame = Frame(seq, group.time_us[index], group.step[index], ROW, b"")
            values = group.values[index * width : (index + 1) * width]
            self.add_mixed(frame, dict(zip(keys, values, strict=True)))


def decode(
    run_id: str,
    writer_id: str,
    frames: Sequence[Frame],
    on_loss: Callable[[str, str], None] = lambda kind, reason: None,
) -> Batch:
    """Return ``frames`` (of one writer, in order, at least one) as a batch.

    Raises:
        SchemaValidationError: A body is not what its kind of frame promises.
    """
    decoder = _Decoder(on_loss)
    decoder.add_rows([frame for frame in frames if frame.kind == ROW])
    decoder.add_metrics([frame for frame in frames if frame.kind == METRIC])
    for frame in frames:
        if frame.kind == ROW_EXACT:
            decoder.add_mixed(frame, decode_exact(jsonio.loads(frame.body)))
        elif frame.kind in (RECORD, RECORDS):
            decoder.add_records(frame)
        elif frame.kind not in (ROW, METRIC):
            raise SchemaValidationError(
                f"Frame {frame.seq} of writer {writer_id!r} has the unknown kind {frame.kind}."
            )
    blocks = decoder.blocks()
    return Batch(
        run_id=run_id,
        writer_id=writer_id,
        first_seq=frames[0].seq,
        last_seq=frames[-1].seq,
        blocks=blocks,
        records=tuple(sorted(decoder.records, key=lambda record: record[:2])),
    )


def _all_plain(keys: tuple[str, ...], values: list[Any]) -> bool:
    """Say whether all of it is points as it stands."""
    kinds = set(map(type, values))
    if not kinds <= _NUMBERS or not all(map(_is_key, keys)):
        return False
    return int not in kinds or all(map(_fits, values))


def _fits(value: float) -> bool:
    """Say whether a float64 holds the number exactly."""
    return type(value) is float or -_EXACT_FLOAT <= value <= _EXACT_FLOAT or _survives(int(value))


def _survives(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _is_key(key: str) -> bool:
    return 0 < len(key) <= MAX_KEY_BYTES and len(key.encode()) <= MAX_KEY_BYTES


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, dict) and value and _TYPE_MARK not in value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _value_record(frame: Frame, ordinal: int, key: str, value: Any) -> EncodedRecord:
    step = None if frame.step == NO_STEP else frame.step
    body: dict[str, Any] = {"key": key, "value": value}
    if step is not None:
        body["step"] = step
    return EncodedRecord(
        frame.seq,
        ordinal,
        HistoryValueRecord.KIND,
        step,
        None,
        frame.time_us,
        jsonio.dumps(body),
    )


def _note_record(
    frame: Frame, epoch: int, key: str, description: str | None, metadata: Mapping[str, Any]
) -> EncodedRecord:
    body = jsonio.dumps({"metric_key": key, "description": description, "metadata": metadata or {}})
    return EncodedRecord(
        frame.seq,
        0,
        MetricNoteRecord.KIND,
        None if frame.step == NO_STEP else frame.step,
        None if epoch == NO_STEP else epoch,
        frame.time_us,
        body,
    )
