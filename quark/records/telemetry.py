"""One sample of what the machine and the training loop were doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemTelemetryRecord(Record):
    """Timings, CPU, memory and GPU at a step or at a moment; what was not measured is None."""

    KIND: ClassVar[str] = "system_telemetry"
    FILTERS: ClassVar[tuple[str, ...]] = ("boundary",)

    boundary: str  # "step" or "time"
    step: int | None = None
    epoch: int | None = None
    step_time_ms: float | None = None
    data_time_ms: float | None = None
    compute_time_ms: float | None = None
    cpu_usage_percent: float | None = None  # of all cores together, 0 to 100
    ram_usage_percent: float | None = None
    ram_used_bytes: int | None = None
    ram_total_bytes: int | None = None
    process_rss_bytes: int | None = None
    gpu_index: int | None = None
    gpu_name: str | None = None
    gpu_utilization_percent: float | None = None
    gpu_memory_used_bytes: int | None = None
    gpu_memory_total_bytes: int | None = None
    gpu_memory_usage_percent: float | None = None
    overflow_count: int = 0
    skipped_step_count: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
