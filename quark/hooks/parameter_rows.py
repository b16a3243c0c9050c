"""From what is known of a parameter to the fields of its records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quark.hooks.histograms import histogram
from quark.hooks.parameter_taken import ParameterReading
from quark.hooks.parameter_tensors import Measured

KINDS = ("value", "gradient", "update")


def summary_row(reading: ParameterReading, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a parameter summary, without step and epoch."""
    row: dict[str, Any] = {
        **reading.place._asdict(),
        "shape": reading.shape,
        "dtype": reading.dtype,
        "element_count": reading.element_count,
        "requires_grad": reading.requires_grad,
        "update_to_value_ratio": reading.update_to_value_ratio,
        "learning_rate": reading.learning_rate,
    }
    if reading.group is not None:
        row["optimizer_group_index"] = reading.group.number
        row["optimizer_group_name"] = reading.group.name
    odd: dict[str, Any] = {"gradient_layout": "sparse"} if reading.gradient_is_sparse else {}
    for kind in KINDS:
        measured: Measured | None = getattr(reading, kind)
        if measured is None or measured.statistics is None:
            continue
        found = measured.statistics
        row[f"{kind}_mean"] = found.mean
        row[f"{kind}_std"] = found.std
        row[f"{kind}_norm"] = found.norm
        row[f"{kind}_min"] = found.minimum
        row[f"{kind}_max"] = found.maximum
        if kind != "update":
            row[f"{kind}_near_zero_ratio"] = found.near_zero_ratio
        if found.nonfinite_count:
            odd[f"{kind}_nonfinite_count"] = found.nonfinite_count
    row["metadata"] = {**metadata, **odd}
    return row


def distribution_rows(
    reading: ParameterReading, types: tuple[str, ...], bins: int, metadata: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the fields of a distribution for each of ``types`` that there is a sample of."""
    rows = []
    for kind in types:
        measured: Measured | None = getattr(reading, kind)
        if measured is None or measured.sample is None:
            continue
        edges, counts, nonfinite_count = histogram(measured.sample, bins)
        odd = {"nonfinite_count": nonfinite_count} if nonfinite_count else {}
        rows.append(
            {
                **reading.place._asdict(),
                "distribution_type": kind,
                "bin_edges": tuple(edges.tolist()),
                "counts": tuple(counts.tolist()),
                "sample_count": len(measured.sample),
                "total_count": measured.element_count,
                "metadata": {**metadata, **odd},
            }
        )
    return rows
