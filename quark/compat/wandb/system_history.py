"""The samples of the machine as W&B gives them: ``history(stream="system")``.

They are points without a step below ``system/``. A row has Quark's keys, and beside them W&B's for
those numbers that mean the same there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from quark.clock import parse_timestamp
from quark.compat.wandb.key_rows import plain_number
from quark.storage.batch import NO_STEP

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.protocols import Store

PREFIX = "system/"
_CLOCK = ("_timestamp", "_runtime")
_MIB = 1024 * 1024

#: W&B's names, by ours.
_NAMES = {
    "system/process/cpu_percent": "system.cpu",
    "system/process/thread_count": "system.proc.cpu.threads",
    "system/ram/usage_percent": "system.memory_percent",
    "system/process/rss_bytes": "system.proc.memory.rssMB",
}
_GPU_NAMES = {
    "utilization_percent": "gpu",
    "memory_utilization_percent": "memory",
    "memory_usage_percent": "memoryAllocated",
    "memory_used_bytes": "memoryAllocatedBytes",
    "temperature_celsius": "temp",
    "power_watts": "powerWatts",
    "sm_clock_mhz": "smClock",
    "ecc_corrected_count": "correctedMemoryErrors",
    "ecc_uncorrected_count": "uncorrectedMemoryErrors",
}
_GPU_KEY = re.compile(r"system/gpu(?:\.(\d+))?/(\w+)")


def system_rows(
    store: Store, run: RunRecord, keys: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Return one dict a sample, by time; with ``keys`` only these of the rows that have all."""
    started = parse_timestamp(run.created_at)
    names = [key for key in store.points.keys(run.id) if key.startswith(PREFIX)]
    times: dict[tuple[str, int], int] = {}
    rows: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
    several = any(key.startswith("system/gpu.") for key in names)
    for key, series in store.points.many_series(run.id, names).items():
        columns = (series.step, series.writer, series.seq, series.time_us, series.value)
        for step, writer, seq, time_us, value in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            if step == NO_STEP:
                place = (series.writers[writer], seq)
                times[place] = time_us
                rows[place].update(_shown(key, value, several_gpus=several))
    found = []
    for place in sorted(times, key=lambda place: (times[place], place)):
        moment = times[place]
        row = {**rows[place], "_timestamp": moment / 1e6, "_runtime": (moment - started) / 1e6}
        if keys is None:
            found.append(row)
        elif row.keys() >= set(keys):
            found.append({key: row[key] for key in dict.fromkeys((*keys, *_CLOCK))})
    return found


def _shown(key: str, value: float, *, several_gpus: bool) -> dict[str, float]:
    shown = {key: plain_number(value)}
    gpu = _GPU_KEY.fullmatch(key)
    if key in _NAMES:
        name = _NAMES[key]
        shown[name] = plain_number(value / _MIB if name.endswith("MB") else value)
    elif gpu is not None and gpu[2] in _GPU_NAMES and (gpu[1] is not None or not several_gpus):
        shown[f"system.gpu.{gpu[1] or 0}.{_GPU_NAMES[gpu[2]]}"] = plain_number(value)
    return shown
