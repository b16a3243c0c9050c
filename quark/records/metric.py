"""Scalar metrics and everything else that one ``log`` call may hold.

Numbers rest as packed points in the point store, not as rows of JSON; a :class:`MetricRecord` is
how one of them is shown. What is no number (text, booleans, integers that a float64 cannot hold,
nested structures, media) is a :class:`HistoryValueRecord`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRecord(Record):
    """One sample of one scalar metric.

    From ``MetricsLogger`` the value is finite and at least one of ``step`` and ``epoch`` is set,
    both counted from 0; points from other doors may be NaN or infinite.
    """

    KIND: ClassVar[str] = "metric"
    FILTERS: ClassVar[tuple[str, ...]] = ("metric_key", "namespace", "metric_name")

    metric_key: str  # namespace + "/" + metric_name, e.g. "train/loss"
    namespace: str | None = None
    metric_name: str
    value: float
    step: int | None = None
    epoch: int | None = None
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricNoteRecord(Record):
    """Description and metadata of one metric sample, where it has any; it has the sample's id."""

    KIND: ClassVar[str] = "metric_note"
    FILTERS: ClassVar[tuple[str, ...]] = ("metric_key",)

    metric_key: str
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryValueRecord(Record):
    """One value of a history row that is not a number a float64 holds exactly."""

    KIND: ClassVar[str] = "history_value"
    FILTERS: ClassVar[tuple[str, ...]] = ("key",)

    key: str
    value: Any = None
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDefinitionRecord(Record):
    """How a metric is to be shown and summarised (W&B's ``define_metric``)."""

    KIND: ClassVar[str] = "metric_definition"
    ESSENTIAL: ClassVar[bool] = True
    FILTERS: ClassVar[tuple[str, ...]] = ("name",)

    name: str  # a key, or a glob that ends in "*"
    step_metric: str | None = None
    step_sync: bool = False
    hidden: bool = False
    summary: tuple[str, ...] = ()
    goal: str | None = None
    overwrite: bool = False
    step: int | None = None  # the row that was open then


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedKeyRecord(Record):
    """A dotted key of history rows that was logged as nested dicts, and the way to it in them."""

    KIND: ClassVar[str] = "nested_key"
    ESSENTIAL: ClassVar[bool] = True
    FILTERS: ClassVar[tuple[str, ...]] = ("key",)

    key: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRowRecord(Record):
    """A frame of the same writer that was logged at a step below the open row.

    What it holds is in the history at its own step, and counts neither in the summary nor in the
    row that was closed at that step.
    """

    KIND: ClassVar[str] = "late_row"

    seq: int  # the frame's number within its writer
    keys: tuple[str, ...] = ()
    step: int | None = None
