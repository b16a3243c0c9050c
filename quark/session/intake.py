"""The way in: from what a writer has in hand to frames of the run's journal.

Everything here runs on the calling thread, does no I/O and holds no lock for long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from quark import ids, jsonio
from quark.clock import SYSTEM_CLOCK, format_timestamp, parse_timestamp
from quark.errors import SchemaValidationError
from quark.pipeline.frames import METRIC, RECORD, RECORDS
from quark.pipeline.journal import Journal
from quark.pipeline.rows import Fallback, as_scalar_or_list, encode_row
from quark.records import Record
from quark.storage.batch import NO_STEP

R = TypeVar("R", bound=Record)


class Intake:
    """Appends to the journal of one run. Does not own it."""

    run_id: str
    journal: Journal

    def log_row(
        self,
        data: Mapping[str, Any],
        step: int = NO_STEP,
        time_us: int = 0,
        fallback: Fallback = as_scalar_or_list,
    ) -> int:
        """Keep everything in ``data`` as one history row; return its seq, or 0 if it was dropped.

        Raises:
            SchemaValidationError: A key is no string.
            TypeError: A value cannot be kept and ``fallback`` has no other form for it.
        """
        kind, body = encode_row(data, fallback)
        return self.journal.append(kind, body, step, time_us)

    def log_metric(
        self,
        key: str,
        value: float,
        step: int | None,
        epoch: int | None,
        description: str | None,
        metadata: Mapping[str, Any] | None,
        time_us: int,
    ) -> str:
        """Keep one sample of a metric; return its record's id, or "" if it was dropped."""
        # The value is finite, so ``null`` can only stand for None, and there is nothing to check.
        plain = description is None and not metadata
        encode = jsonio.raw_dumps if plain else jsonio.dumps
        body = encode([key, value, epoch, description, metadata or None])
        place = NO_STEP if step is None else step
        seq = self.journal.append(METRIC, body, place, time_us)
        return ids.record_id(self.journal.writer_id, seq) if seq else ""

    def emit(self, kind: type[R], *, timestamp: str | None = None, **fields: Any) -> R:
        """Keep a record of ``kind`` and return it. Its fields are JSON or become it.

        Raises:
            SchemaValidationError: A field has no JSON form, or ``timestamp`` is not ISO 8601.
        """
        time_us = SYSTEM_CLOCK.time_us() if timestamp is None else timestamp_us(timestamp)
        step = fields.get("step")
        seq = self.journal.append(
            RECORD,
            kind.KIND.encode() + b"\0" + _body(fields),
            NO_STEP if step is None else step,
            time_us,
            essential=kind.ESSENTIAL,
        )
        return kind(
            id=ids.record_id(self.journal.writer_id, seq) if seq else "",
            run_id=self.run_id,
            timestamp=format_timestamp(time_us),
            **fields,
        )

    def emit_many(
        self,
        kind: type[Record],
        rows: Sequence[Mapping[str, Any]],
        *,
        step: int | None,
        epoch: int | None,
        time_us: int,
    ) -> tuple[str, int]:
        """Keep records of one kind that share a step, an epoch and a moment, in one frame.

        Args:
            kind: What they are.
            rows: The fields of each, without ``step`` and ``epoch``; None means not there.

        Returns:
            The writer's id and the frame's seq (0 if it was dropped), of which
            :func:`quark.ids.record_id` makes the id of each record by its place in ``rows``.

        Raises:
            SchemaValidationError: A field has no JSON form.
        """
        if not rows:
            return "", 0
        place: dict[str, Any] = {} if step is None else {"step": step}
        if epoch is not None:
            place["epoch"] = epoch
        body = b"\n".join([_body({**place, **row}) for row in rows])
        seq = self.journal.append(
            RECORDS,
            kind.KIND.encode() + b"\0" + body,
            NO_STEP if step is None else step,
            time_us,
            essential=kind.ESSENTIAL,
        )
        return self.journal.writer_id, seq

    def log_console_line(self, stream: str, text: str, cut: bool = False) -> int:
        """Keep a line of ``stdout`` or ``stderr``, free of secrets; return its seq or 0."""
        fields = {"stream": stream, "text": text}
        body = jsonio.dumps({**fields, "truncated": True} if cut else fields)
        return self.journal.append(RECORD, b"console_line\0" + body)


def timestamp_us(timestamp: str) -> int:
    """Return a caller's timestamp as microseconds since 1970.

    Raises:
        SchemaValidationError: It is not ISO 8601.
    """
    try:
        return parse_timestamp(timestamp)
    except (TypeError, ValueError) as error:
        raise SchemaValidationError(
            f"Timestamp {timestamp!r} is not valid: it must be ISO 8601 such as "
            "'2026-05-07T00:00:00Z'."
        ) from error


def _body(fields: Mapping[str, Any]) -> bytes:
    if None not in fields.values():
        return jsonio.dumps(fields)
    return jsonio.dumps({name: value for name, value in fields.items() if value is not None})
