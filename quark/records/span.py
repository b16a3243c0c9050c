"""A traced piece of work inside a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRecord(Record):
    """One finished span; its ``timestamp`` is when it started."""

    KIND: ClassVar[str] = "span"
    FILTERS: ClassVar[tuple[str, ...]] = ("name", "trace_id", "parent_span_id", "status")

    name: str
    span_id: str
    trace_id: str
    parent_span_id: str | None = None
    duration_ms: float
    status: str = "ok"  # "ok" or "error"
    step: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Mapping[str, Any], ...] = ()
