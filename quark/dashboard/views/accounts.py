"""What a run's data is like, and what its machine did: the findings that are no alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quark import jsonio
from quark.analyzers.evidence import RunFacts
from quark.analyzers.evidence_builder import EvidenceBuilder, EvidenceLimits
from quark.analyzers.roles import NO_ROLES
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.analyzers.evidence import DataFacts, Table
    from quark.storage.protocols import Store

_KINDS = ("system_telemetry", "training_loop", "batch_diagnostic", "event")
_LIMITS = EvidenceLimits(records=20_000, sample_ids=200_000)
_MAX_CLASSES = 50
_MAX_KEYS = 30
#: The larger one is not read: reports are some kilobytes.
_MAX_REPORT_BYTES = 4 << 20


def accounts(place: Place, asked: Asked) -> dict[str, Any]:
    """Return what is known of completeness, batches, odd values, and the machine."""
    run_id = asked["run_id"]
    store = place.store
    builder = EvidenceBuilder(_LIMITS)
    for part in store.records.scan(run_id, _KINDS):
        builder.add_bodies(part)
    found = builder.build(RunFacts(), NO_ROLES)
    keys = store.points.keys(run_id)
    bad = sorted(
        (one for one in keys.values() if one.nonfinite_count), key=lambda one: -one.nonfinite_count
    )
    report = _report(store, run_id)
    return {
        "points": sum(one.count for one in keys.values()),
        "metrics": len(keys),
        "records": sum(store.records.count(run_id).values()),
        "nonfinite": [
            {"key": one.key, "count": one.nonfinite_count, "of": one.count}
            for one in bad[:_MAX_KEYS]
        ],
        "nonfinite_key_count": len(bad),
        "completeness": report.get("completeness"),
        "cost": report.get("cost"),
        "notes": report.get("notes") or [],
        "batches": _batches(found.data),
        "inputs": _inputs(found.loop),
        "machine": _machine(found.telemetry, found.loop),
    }


def _report(store: Store, run_id: str) -> dict[str, Any]:
    """Return the report that the run's process kept beside it; nothing if it is not here."""
    folder = store.run_dir(run_id)
    if folder is None:
        return {}
    path = folder / "report.json"
    try:
        if path.stat().st_size > _MAX_REPORT_BYTES:
            return {}
        found = jsonio.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: found[name]
        for name, kind in (("completeness", dict), ("cost", dict), ("notes", list))
        if isinstance(found.get(name), kind)
    }


def _batches(data: DataFacts) -> dict[str, Any] | None:
    if not data.batch_count:
        return None
    classes = sorted(data.class_counts.items(), key=lambda one: -one[1])
    return {
        "count": data.batch_count,
        "samples": data.sample_count,
        "classes": classes[:_MAX_CLASSES],
        "class_count": len(classes),
        "exposures": data.exposure_count,
        "distinct_ids": data.distinct_id_count,
        "most_exposed": list(data.most_exposed),
        "padding_ratio": 1 - data.given_length / data.padded_length if data.padded_length else None,
    }


def _inputs(loop: Table) -> dict[str, Any] | None:
    """Return what batches looked like to the watched loop."""
    if not len(loop):
        return None
    targets: dict[str, int] = {}
    for one in loop.object("metadata"):
        counts = one.get("target_counts") if isinstance(one, Mapping) else None
        for name, count in (counts or {}).items() if isinstance(counts, Mapping) else ():
            if isinstance(count, int):
                targets[str(name)] = targets.get(str(name), 0) + count
    found = {
        "looked_at": len(loop),
        "rows": _median(loop.number("input_row_count")),
        "mean": _median(loop.number("input_mean")),
        "std": _median(loop.number("input_std")),
        "min": _extreme(loop.number("input_min"), np.min),
        "max": _extreme(loop.number("input_max"), np.max),
        "duplicate_ratio": _median(loop.number("duplicate_row_ratio")),
        "padding_ratio": _median(loop.number("padding_ratio")),
        "targets": sorted(targets.items(), key=lambda one: -one[1])[:_MAX_CLASSES],
        "target_class_count": len(targets),
    }
    return found


def _machine(telemetry: Table, loop: Table) -> dict[str, Any]:
    waiting = float(np.nansum(loop.number("data_seconds")))
    stepping = float(np.nansum(loop.number("step_seconds")))
    cores = telemetry.number("process_cpu_percent") * telemetry.number("cpu_count") / 100.0
    used, total = telemetry.number("gpu_memory_used_bytes"), telemetry.number("ram_total_bytes")
    return {
        "readings": len(telemetry),
        "cpu_percent": _median(telemetry.number("cpu_usage_percent")),
        "cores": _median(cores),
        "cpu_count": _extreme(telemetry.number("cpu_count"), np.max),
        "gpu_percent": _median(telemetry.number("gpu_utilization_percent")),
        "gpu_memory_bytes": _extreme(used, np.max),
        "gpu_memory_total_bytes": _extreme(telemetry.number("gpu_memory_total_bytes"), np.max),
        "ram_percent": _extreme(telemetry.number("ram_usage_percent"), np.max),
        "ram_total_bytes": _extreme(total, np.max),
        "process_bytes": _extreme(telemetry.number("process_rss_bytes"), np.max),
        "data_seconds": waiting,
        "step_seconds": stepping,
        "data_share": waiting / (waiting + stepping) if waiting + stepping > 0 else None,
    }


def _median(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _extreme(values: NDArray[np.float64], choose: Any) -> float | None:
    known = values[np.isfinite(values)]
    return float(choose(known)) if len(known) else None
