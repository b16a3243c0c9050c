"""What one training batch was made of, without the samples themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDiagnosticRecord(Record):
    """Loss and composition of one batch."""

    KIND: ClassVar[str] = "batch_diagnostic"

    loss: float
    step: int | None = None
    epoch: int | None = None
    batch_size: int | None = None
    sample_ids: tuple[str, ...] | None = None
    class_counts: Mapping[str, int] | None = None
    sequence_lengths: tuple[int, ...] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
