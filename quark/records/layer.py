"""What a hook saw of one layer, without the tensor itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSummaryRecord(Record):
    """Statistics of one activation or gradient tensor of one module call.

    ``std`` and ``variance`` are of the population; ``norm`` is the L2 norm; non-finite elements
    are left out of all of them. Ratios are 0 to 1.
    """

    KIND: ClassVar[str] = "layer_summary"
    FILTERS: ClassVar[tuple[str, ...]] = (
        "module_name",
        "module_type",
        "summary_type",
        "hook_direction",
    )

    step: int
    epoch: int | None = None
    module_name: str
    module_type: str
    summary_type: str  # "activation" or "gradient"
    hook_direction: str  # "forward" or "backward"
    call_index: int = 0
    element_count: int
    tensor_shape: tuple[int, ...] | None = None
    mean: float | None = None
    std: float | None = None
    norm: float | None = None
    variance: float | None = None
    dead_unit_ratio: float | None = None
    saturation_ratio: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
