"""``Api().run(...).console_logs()``: what a run printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import overload

from quark.records import ConsoleLineRecord


@dataclass(frozen=True)
class ConsoleLogLine:
    """One line; ``level`` is ``error`` for stderr, else empty, and ``label`` always empty."""

    number: int
    timestamp: datetime | None
    level: str
    label: str
    content: str


class ConsoleLogs:
    """The lines that were kept, oldest first: a sequence."""

    def __init__(self, records: Sequence[ConsoleLineRecord], last: int | None) -> None:
        lines = [_line(number, record) for number, record in enumerate(records)]
        self._lines = lines if last is None else lines[max(0, len(lines) - last) :]

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[ConsoleLogLine]:
        return iter(self._lines)

    @overload
    def __getitem__(self, index: int) -> ConsoleLogLine: ...
    @overload
    def __getitem__(self, index: slice) -> list[ConsoleLogLine]: ...
    def __getitem__(self, index: int | slice) -> ConsoleLogLine | list[ConsoleLogLine]:
        return self._lines[index]

    def __repr__(self) -> str:
        return f"<ConsoleLogs: {len(self)} lines>"


def _line(number: int, record: ConsoleLineRecord) -> ConsoleLogLine:
    return ConsoleLogLine(
        number=number,
        timestamp=datetime.fromisoformat(record.timestamp),
        level="error" if record.stream == "stderr" else "",
        label="",
        content=record.text,
    )
