"""Evidence made by hand, for the tests of rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quark.analyzers.evidence import (
    LayerTrack,
    MetricSeries,
    ParameterTrack,
    RunEvidence,
    Table,
)
from quark.analyzers.roles import MetricRoles
from quark.analyzers.tracks import PARAMETER_FLOATS

#: The key that each role has in these tests.
KEYS = {
    "train_loss": "train/loss",
    "val_loss": "val/loss",
    "train_accuracy": "train/accuracy",
    "val_accuracy": "val/accuracy",
    "learning_rate": "lr",
    "gradient_norm": "grad_norm",
    "grad_scale": "amp/scale",
    "step_time_ms": "system/runtime/step_time_ms",
    "data_time_ms": "system/runtime/data_time_ms",
    "compute_time_ms": "system/runtime/compute_time_ms",
}


def series(
    key: str,
    values: Sequence[float] | Any,
    step: Sequence[int] | Any | None = None,
    *,
    step_seconds: float | None = None,
) -> MetricSeries:
    """A metric; by default at steps 0, 1, 2 …; with ``step_seconds`` its points have times."""
    value = np.asarray(values, np.float64)
    steps = np.arange(len(value)) if step is None else np.asarray(step, np.int64)
    times = np.empty(0, np.int64)
    if step_seconds is not None:
        times = (1_000_000_000 + steps * step_seconds * 1e6).astype(np.int64)
    return MetricSeries(key=key, step=steps, value=value, time_us=times)


def by_role(**metrics: Any) -> RunEvidence:
    """Evidence of metrics alone, given by their roles as values or as a series."""
    made = {
        KEYS[role]: values if isinstance(values, MetricSeries) else series(KEYS[role], values)
        for role, values in metrics.items()
    }
    roles = MetricRoles(keys={role: (KEYS[role],) for role in metrics})
    counts = {
        key: int(np.count_nonzero(~np.isfinite(one.value)))
        for key, one in made.items()
        if not np.isfinite(one.value).all()
    }
    return RunEvidence(metrics=made, roles=roles, nonfinite_counts=counts)


def layer(
    norms: Sequence[float] | Any,
    *,
    name: str = "layer",
    module_type: str = "Linear",
    kind: str = "gradient",
    place: int = 0,
    every: int = 10,
    element_count: int = 1_000,
    **columns: Any,
) -> LayerTrack:
    """A layer at steps 0, ``every``, …; columns are numbers or sequences, NaN where not given."""
    norm = np.asarray(norms, np.float64)
    size = len(norm)
    floats = {
        column: _column(columns.pop(column, np.nan), size)
        for column in ("mean", "std", "dead_unit_ratio", "saturation_ratio")
    }
    nonfinite = np.broadcast_to(np.asarray(columns.pop("nonfinite_count", 0), np.int64), size)
    assert not columns, columns
    return LayerTrack(
        module_name=name,
        module_type=module_type,
        summary_type=kind,
        place=place,
        step=np.arange(size, dtype=np.int64) * every,
        element_count=np.full(size, element_count, np.int64),
        norm=norm,
        nonfinite_count=nonfinite,
        **floats,
    )


def parameter(
    size: int,
    *,
    name: str = "layer.weight",
    module_type: str = "Linear",
    role: str = "weight",
    every: int = 10,
    element_count: int = 1_000,
    requires_grad: bool = True,
    **columns: Any,
) -> ParameterTrack:
    """A parameter with ``size`` snapshots; columns as for :func:`layer`."""
    floats = {column: _column(columns.pop(column, np.nan), size) for column in PARAMETER_FLOATS}
    counts: dict[str, Any] = {
        column: np.array(np.broadcast_to(np.asarray(columns.pop(column, 0), np.int64), size))
        for column in ("value_nonfinite_count", "gradient_nonfinite_count")
    }
    assert not columns, columns
    return ParameterTrack(
        name=name,
        module_name=name.rpartition(".")[0],
        module_type=module_type,
        parameter_role=role,
        element_count=element_count,
        requires_grad=requires_grad,
        step=np.arange(size, dtype=np.int64) * every,
        **floats,
        **counts,
    )


def table(
    size: int, *, every: int = 1, step_seconds: float = 1.0, rank: int = 0, **columns: Any
) -> Table:
    """Records at steps 0, ``every``, …; numbers are columns of floats, the rest objects."""
    step = np.arange(size, dtype=np.int64) * every
    numbers: dict[str, Any] = {}
    objects: dict[str, Any] = {}
    for name, column in columns.items():
        if isinstance(column, (int, float, np.ndarray)):
            numbers[name] = _column(column, size)
        else:
            objects[name] = column
    return Table(
        step=step,
        time_us=(1_000_000_000 + step * step_seconds * 1e6).astype(np.int64),
        rank=np.full(size, rank, np.int64),
        numbers=numbers,
        objects=objects,
    )


def having(evidence: RunEvidence, **changes: Any) -> RunEvidence:
    """Evidence with some of its fields changed."""
    fields: Mapping[str, Any] = {
        name: getattr(evidence, name) for name in RunEvidence.__dataclass_fields__
    }
    return RunEvidence(**{**fields, **changes})


def _column(values: Any, size: int) -> Any:
    return np.array(np.broadcast_to(np.asarray(values, np.float64), size))
