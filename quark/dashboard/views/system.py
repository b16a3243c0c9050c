"""The machine during a run: which charts there are, and what the machine is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.records import SystemTelemetryRecord
from quark.storage.model import RecordFilter, StepRange

PREFIX = "system/"
#: The section, the chart, and the series that belong into it, with what they are called there.
_PLAN: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Processor",
        "Use of the processor",
        (
            ("cpu/usage_percent", "machine"),
            ("process/cpu_percent", "training, with children"),
        ),
    ),
    ("Memory", "Use of memory", (("ram/usage_percent", "machine"),)),
    (
        "Memory",
        "Memory",
        (
            ("ram/used_bytes", "machine"),
            ("container/memory_used_bytes", "container"),
            ("process/rss_bytes", "training"),
            ("process/children_rss_bytes", "its children"),
        ),
    ),
    ("Disk", "Use of the disk", (("disk/usage_percent", "disk of the run"),)),
    ("Disk", "Space used on the disk", (("disk/used_bytes", "disk of the run"),)),
    (
        "Disk",
        "Reading and writing",
        (
            ("disk/read_bytes_per_second", "read"),
            ("disk/written_bytes_per_second", "written"),
        ),
    ),
    (
        "Network",
        "Network",
        (
            ("network/received_bytes_per_second", "received"),
            ("network/sent_bytes_per_second", "sent"),
        ),
    ),
    (
        "Training",
        "Time of a step",
        (
            ("runtime/step_time_ms", "step"),
            ("runtime/data_time_ms", "waiting for data"),
            ("runtime/compute_time_ms", "computing"),
        ),
    ),
    ("Training", "Threads", (("process/thread_count", "training"),)),
)
_GPU = re.compile(r"^gpu(?:\.(\d+))?/(.+)$")
_GPU_TITLES = {
    "utilization_percent": "Use of the GPU",
    "memory_usage_percent": "Use of the GPU's memory",
    "memory_used_bytes": "Memory of the GPU",
    "memory_utilization_percent": "Traffic of the GPU's memory",
    "temperature_celsius": "Temperature",
    "power_watts": "Power",
    "sm_clock_mhz": "Clock",
    "energy_joules": "Energy",
}
#: The end of a name says the unit; longer ends first.
_UNITS = (
    ("_bytes_per_second", "bytes/s"),
    ("_bytes", "bytes"),
    ("_percent", "%"),
    ("_celsius", "°C"),
    ("_watts", "W"),
    ("_joules", "J"),
    ("_mhz", "MHz"),
    ("_seconds", "s"),
    ("_ms", "ms"),
)
_FACTS = (
    ("cpu_count", "Processors", ""),
    ("cpu_limit_count", "Processors of the container", ""),
    ("ram_total_bytes", "Memory", "bytes"),
    ("container_memory_limit_bytes", "Limit of the container", "bytes"),
    ("gpu_name", "GPU", ""),
    ("gpu_memory_total_bytes", "Memory of a GPU", "bytes"),
    ("disk_free_bytes", "Free on the disk", "bytes"),
    ("overflow_count", "Steps with an overflow", ""),
    ("skipped_step_count", "Skipped steps", ""),
)


def system(place: Place, asked: Asked) -> dict[str, Any]:
    """Return which charts show the machine, in sections, and what the last sample says of it.

    Every ``system/`` metric is in exactly one chart, those that nobody here knows too.
    """
    run_id = asked["run_id"]
    found = [key for key in place.store.points.keys(run_id) if key.startswith(PREFIX)]
    latest = place.store.records.read(
        SystemTelemetryRecord, run_id, RecordFilter(steps=StepRange(limit=1))
    )
    return {"sections": sections(found), "facts": _facts(latest[-1]) if latest else []}


def sections(keys: Iterable[str]) -> list[dict[str, Any]]:
    """Return the plan of the charts for some keys.

    >>> plan = sections(["system/ram/used_bytes", "system/own/thing"])
    >>> [(one["title"], chart["title"], chart["unit"]) for one in plan for chart in one["charts"]]
    [('Memory', 'Memory', 'bytes'), ('Other', 'own/thing', '')]
    """
    left = dict.fromkeys(key.removeprefix(PREFIX) for key in keys)
    found: dict[str, list[dict[str, Any]]] = {}
    gpus = _gpus(left)
    for section, title, series in _PLAN:
        if section == "Disk" and gpus and "GPU" not in found:
            found["GPU"] = gpus
        there = [(name, label) for name, label in series if name in left]
        if there:
            found.setdefault(section, []).append(_chart(title, there))
            for name, _ in there:
                left.pop(name)
    for name in left:
        found.setdefault("Other", []).append(_chart(name, [(name, name)]))
    return [{"title": title, "charts": charts} for title, charts in found.items()]


def _gpus(left: dict[str, None]) -> list[dict[str, Any]]:
    """Take the series of GPUs out of what is left and return their charts, one for each quantity.

    Where there are several GPUs, each has series of its own; those without a number repeat one.
    """
    by_quantity: dict[str, list[tuple[str, str]]] = {}
    matches = [match for name in left if (match := _GPU.match(name))]
    is_numbered = any(match[1] is not None for match in matches)
    for match in matches:
        left.pop(match[0])
        if is_numbered and match[1] is None:
            continue
        label = "GPU" if match[1] is None else f"GPU {match[1]}"
        by_quantity.setdefault(match[2], []).append((match[0], label))
    order = [*_GPU_TITLES, *by_quantity]
    return [
        _chart(_GPU_TITLES.get(quantity, quantity), by_quantity[quantity])
        for quantity in dict.fromkeys(order)
        if quantity in by_quantity
    ]


def _chart(title: str, series: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "title": title,
        "unit": unit_of(series[0][0]),
        "series": [{"key": PREFIX + name, "label": label} for name, label in series],
    }


def unit_of(name: str) -> str:
    """Return the unit that the end of a name says.

    >>> unit_of("disk/read_bytes_per_second"), unit_of("process/thread_count")
    ('bytes/s', '')
    """
    return next((unit for end, unit in _UNITS if name.endswith(end)), "")


def _facts(latest: SystemTelemetryRecord) -> list[dict[str, Any]]:
    names = Counter(str(gpu.get("name") or "GPU") for gpu in latest.gpus or ())
    gpus = ", ".join(f"{count} × {name}" for name, count in names.items())
    several = {"gpu_name": gpus} if names.total() > 1 else {}
    return [
        {"label": label, "value": value, "unit": unit}
        for name, label, unit in _FACTS
        if (value := several.get(name, getattr(latest, name))) not in (None, 0)
    ]
