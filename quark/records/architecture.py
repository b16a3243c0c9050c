"""What a model is made of: its modules, its parameters, and what flows from where to where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureModule:
    """One module of a model, in the order of ``model.named_modules()``.

    ``own_parameter_count`` is of the module alone, ``parameter_count`` of all below it too; each
    element counts once, also where several modules share it. ``settings`` is what the module says
    of itself when it is printed.
    """

    module_name: str  # "" is the model itself
    module_type: str
    depth: int
    leaf: bool
    own_parameter_count: int
    parameter_count: int
    trainable_parameter_count: int
    parameter_shapes: Mapping[str, Any] = field(default_factory=dict)  # lists, of its own ones
    settings: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureNode:
    """One call of a module that called no other, in the order of the calls.

    A plain function that brings together what came out of several nodes is a node too: its
    ``module_type`` is the function's name (``add``, ``cat``) and ``is_function`` is set.
    ``output_shapes`` has the shape of each tensor that came out.
    """

    node_id: int
    module_name: str
    module_type: str
    is_function: bool = False
    call_index: int = 0
    parameter_count: int = 0
    parameter_shapes: Mapping[str, Any] = field(default_factory=dict)
    output_shapes: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureEdge:
    """What came out of one node went into another, as it was or through plain functions."""

    source_id: int
    target_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelArchitectureRecord(Record):
    """A model as it was at one moment. Counts are of elements; shared parameters count once.

    ``nodes`` and ``edges`` are empty where no forward pass was looked at; ``truncated`` says that
    the model or the pass was too large to be kept whole.
    """

    KIND: ClassVar[str] = "model_architecture"
    FILTERS: ClassVar[tuple[str, ...]] = ("model_name", "model_type")

    model_name: str
    model_type: str
    parameter_count: int
    trainable_parameter_count: int
    frozen_parameter_count: int
    buffer_count: int
    parameter_bytes: int
    buffer_bytes: int
    parameter_counts_by_dtype: Mapping[str, int] = field(default_factory=dict)
    parameter_counts_by_device: Mapping[str, int] = field(default_factory=dict)
    shared_parameters: tuple[tuple[str, ...], ...] = ()  # all names of each
    modules: tuple[ArchitectureModule, ...] = ()
    nodes: tuple[ArchitectureNode, ...] = ()
    edges: tuple[ArchitectureEdge, ...] = ()
    truncated: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
