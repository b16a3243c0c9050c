"""Structured events, log messages and console lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from quark.records.base import Record


class LogIdentifier(StrEnum):
    """The three words that ``add_log`` takes."""

    INFO = "Info"
    WARNING = "Warning"
    ERROR = "Error"


SEVERITIES: tuple[str, ...] = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord(Record):
    """Something that happened during a run."""

    KIND: ClassVar[str] = "event"
    ESSENTIAL: ClassVar[bool] = True
    FILTERS: ClassVar[tuple[str, ...]] = ("event_type", "severity")

    event_type: str
    severity: str = "info"
    step: int | None = None
    epoch: int | None = None
    status: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLineRecord(Record):
    """One line that the training wrote to its terminal, without the line end."""

    KIND: ClassVar[str] = "console_line"
    FILTERS: ClassVar[tuple[str, ...]] = ("stream",)

    stream: str  # "stdout" or "stderr"
    text: str
    truncated: bool = False
