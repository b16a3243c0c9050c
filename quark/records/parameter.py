"""Weights, biases, their gradients and their optimizer updates, summarised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record

_FILTERS = ("module_name", "module_type", "parameter_name", "parameter_role")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSummaryRecord(Record):
    """Statistics of one parameter at one step; gradient and update fields are None where absent."""

    KIND: ClassVar[str] = "parameter_summary"
    FILTERS: ClassVar[tuple[str, ...]] = _FILTERS

    step: int
    epoch: int | None = None
    module_name: str
    module_type: str
    parameter_name: str
    parameter_role: str  # "weight", "bias" or "other"
    shape: tuple[int, ...] = ()
    dtype: str = ""
    element_count: int
    requires_grad: bool = True
    value_mean: float | None = None
    value_std: float | None = None
    value_norm: float | None = None
    value_min: float | None = None
    value_max: float | None = None
    value_near_zero_ratio: float | None = None
    gradient_mean: float | None = None
    gradient_std: float | None = None
    gradient_norm: float | None = None
    gradient_min: float | None = None
    gradient_max: float | None = None
    gradient_near_zero_ratio: float | None = None
    update_mean: float | None = None
    update_std: float | None = None
    update_norm: float | None = None
    update_min: float | None = None
    update_max: float | None = None
    update_to_value_ratio: float | None = None
    optimizer_group_index: int | None = None
    optimizer_group_name: str | None = None
    learning_rate: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterDistributionRecord(Record):
    """A histogram of one parameter's values, gradients or updates.

    ``bin_edges`` has one element more than ``counts``; ``sample_count`` of ``total_count``
    elements were counted.
    """

    KIND: ClassVar[str] = "parameter_distribution"
    FILTERS: ClassVar[tuple[str, ...]] = (*_FILTERS, "distribution_type")

    step: int
    epoch: int | None = None
    module_name: str
    module_type: str
    parameter_name: str
    parameter_role: str
    distribution_type: str  # "value", "gradient" or "update"
    bin_edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    sample_count: int = 0
    total_count: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
