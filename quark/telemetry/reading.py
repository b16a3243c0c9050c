"""One reading of the machine, and the part of it that somebody wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from quark import jsonio

#: Metric keys of what is a field of a record, too.
SERIES_OF_FIELDS: Mapping[str, str] = {
    "cpu_usage_percent": "system/cpu/usage_percent",
    "ram_usage_percent": "system/ram/usage_percent",
    "ram_used_bytes": "system/ram/used_bytes",
    "container_memory_used_bytes": "system/container/memory_used_bytes",
    "process_rss_bytes": "system/process/rss_bytes",
    "process_cpu_percent": "system/process/cpu_percent",
    "process_thread_count": "system/process/thread_count",
    "process_children_rss_bytes": "system/process/children_rss_bytes",
    "disk_used_bytes": "system/disk/used_bytes",
    "disk_usage_percent": "system/disk/usage_percent",
}
#: What is a number of a GPU, and no label: ``system/gpu/<name>``; of several GPUs the first, and
#: each as ``system/gpu.<index>/<name>``.
GPU_SERIES = (
    *("utilization_percent", "memory_used_bytes", "memory_usage_percent"),
    *("memory_utilization_percent", "temperature_celsius", "power_watts", "energy_joules"),
    *("ecc_corrected_count", "ecc_uncorrected_count", "sm_clock_mhz"),
)
_FLAT = ("index", "name", *GPU_SERIES[:3], "memory_total_bytes")
#: Fields that every record of a step repeats; the others are in the first one after a reading.
REPEATED = frozenset(
    {
        *("cpu_usage_percent", "ram_usage_percent", "ram_used_bytes", "ram_total_bytes"),
        *("process_rss_bytes", "gpu_index", "gpu_name", "gpu_utilization_percent"),
        *("gpu_memory_used_bytes", "gpu_memory_total_bytes", "gpu_memory_usage_percent"),
    }
)


class Trouble(NamedTuple):
    """Something that could not be measured, and why."""

    cause: str
    error: Exception


class Reading(NamedTuple):
    """What all probes gave at one time. ``number`` counts readings of a process.

    ``host`` and ``spaces`` (by folder) are fields of a record, ``series`` numbers that are none.
    ``gpus`` are by CUDA's number, those that answered; ``gpu_count`` counts the others too. Where
    it is no fault that there are none, ``gpus_absent`` says why.
    """

    number: int
    time_us: int
    host: Mapping[str, Any] = {}
    series: Mapping[str, float] = {}
    spaces: Mapping[str, Mapping[str, Any]] = {}
    gpus: Mapping[int, Mapping[str, Any]] = {}
    gpu_count: int = 0
    gpus_absent: str | None = None
    troubles: tuple[Trouble, ...] = ()


class Wanted(NamedTuple):
    """The part of a reading that somebody wants."""

    cpu: bool = True
    gpu: bool = True
    gpu_index: int | None = None
    folder: str | None = None  # how full the disk of this folder is


class Selection(NamedTuple):
    """What is written of one reading: fields of a record, as dicts and as JSON without braces."""

    number: int
    time_us: int
    fields: Mapping[str, Any]
    repeated: Mapping[str, Any]
    series: Mapping[str, float]
    encoded_fields: bytes
    encoded_repeated: bytes


NOTHING = Selection(
    number=0,
    time_us=0,
    fields={},
    repeated={},
    series={},
    encoded_fields=b"",
    encoded_repeated=b"",
)


def select(reading: Reading, wanted: Wanted) -> Selection:
    """Return the part of ``reading`` that is wanted, ready to be written."""
    fields: dict[str, Any] = {}
    series: dict[str, float] = {}
    if wanted.cpu:
        fields.update(reading.host)
        if wanted.folder is not None:
            fields.update(reading.spaces.get(wanted.folder, {}))
        fields = {name: value for name, value in fields.items() if value is not None}
        series = {
            key: float(fields[name]) for name, key in SERIES_OF_FIELDS.items() if name in fields
        }
        series.update(reading.series)
    if wanted.gpu:
        _add_gpus(reading, wanted.gpu_index, fields, series)
    repeated = {name: value for name, value in fields.items() if name in REPEATED}
    return Selection(
        number=reading.number,
        time_us=reading.time_us,
        fields=fields,
        repeated=repeated,
        series=series,
        encoded_fields=jsonio.dumps(fields)[1:-1],
        encoded_repeated=jsonio.dumps(repeated)[1:-1],
    )


def _add_gpus(
    reading: Reading, only: int | None, fields: dict[str, Any], series: dict[str, float]
) -> None:
    """Add what GPUs gave. The first one is that of CUDA, also while it does not answer: a series
    must not go on with the numbers of another GPU."""
    first = reading.gpus.get(only or 0)
    if first is not None:
        fields.update({f"gpu_{name}": first[name] for name in _FLAT if name in first})
        series.update(_gpu_series("system/gpu", first))
    gpus = tuple(reading.gpus.values())
    if only is not None:
        gpus = () if first is None else (first,)
    elif reading.gpu_count > 1:
        for gpu in gpus:
            series.update(_gpu_series(f"system/gpu.{gpu['index']}", gpu))
    if gpus:
        fields["gpus"] = gpus


def _gpu_series(prefix: str, gpu: Mapping[str, Any]) -> dict[str, float]:
    return {f"{prefix}/{name}": float(gpu[name]) for name in GPU_SERIES if name in gpu}
