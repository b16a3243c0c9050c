"""Memory growth: the process, or a GPU, takes more and more memory the longer it trains.

Observes the memory of the process with its children, and what is allocated on each GPU, as medians
of ten parts of the run after its first fifth. It has to rise from part to part, by a real amount,
and still rise in the last part; for the process the machine's used memory must not speak against
it, because pages of files that are mapped count for a process although they can be given back.
Source: SageMaker Debugger's GPUMemoryIncrease (5 points) for GPUs. For the process the defaults of
a fifth and 100 MiB are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.machine_use import during_training, gpu_readings, span_of_steps
from quark.analyzers.rule import Rule
from quark.analyzers.shapes import block_medians, noise

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, Int64Array, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_PARTS = 10
#: Parts that may fall a little: garbage is collected when it is.
_MAX_FALLS = 1
#: The last three tenths must bring at least this share of what an even growth would.
_STILL_GROWING = 0.4


class _Growth(NamedTuple):
    first_bytes: float
    last_bytes: float
    bytes_per_second: float


def memory_growth(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the process and one for each GPU."""
    yield from _of_process(evidence, limits)
    own = limits.runtime
    gpus = gpu_readings(evidence)
    if gpus is None:
        return
    for name, used in gpus.memory_used_bytes.items():
        known = np.isfinite(used)
        growth = _growth(used[known], gpus.time_us[known], own.memory_min_samples)
        total = gpus.memory_total_bytes.get(name)
        if growth is None or total is None:
            continue
        share = (growth.last_bytes - growth.first_bytes) / total
        if share < own.memory_gpu_growth_ratio or not _is_large(growth, limits):
            continue
        yield Finding(
            rule_id="memory_growth",
            severity=_severity(growth.last_bytes / total, limits),
            fact=f"Memory of {name} {_told(growth)}; it has {_size(total)}.",
            inference="Something that should be freed is probably kept, such as a graph in a sum "
            "of losses.",
            observed=share,
            threshold=own.memory_gpu_growth_ratio,
            step_range=span_of_steps(evidence, gpus.step[known], gpus.time_us[known]),
            subject=name,
            source="gpus.memory_used_bytes",
        )


def _of_process(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    own, table = limits.runtime, evidence.telemetry
    used = table.number("process_rss_bytes")
    children = table.number("process_children_rss_bytes")
    if np.isfinite(children).any():  # only in records that hold a whole reading
        used = used + children
    places = np.flatnonzero(np.isfinite(used) & during_training(evidence))
    if len(places):
        places = places[table.rank[places] == table.rank[places].min()]
        new = np.diff(used[places], prepend=-1.0) != 0  # steps repeat the latest reading
        places = places[new]
    times = table.time_us[places]
    growth = _growth(used[places], times, own.memory_min_samples)
    if growth is None or not _is_large(growth, limits):
        return
    grown = growth.last_bytes - growth.first_bytes
    machine = table.number("ram_used_bytes")[places]
    if _machine_denies(machine, grown):
        return
    totals = table.number("ram_total_bytes")[places]
    total = float(np.nanmax(totals)) if np.isfinite(totals).any() else None
    forecast = ""
    if total is not None and growth.bytes_per_second > 0 and len(machine):
        left = _duration((total - float(machine[-1])) / growth.bytes_per_second)
        forecast = f" At this pace the machine's {_size(total)} are full in {left}."
    full = 0.0 if total is None else float(np.nan_to_num(machine[-1])) / total
    yield Finding(
        rule_id="memory_growth",
        severity=_severity(full, limits),
        fact=f"Memory of the process {_told(growth)}.{forecast}",
        inference="Something is probably collected and never let go, such as losses with their "
        "graphs, or outputs of every step.",
        observed=grown / growth.first_bytes,
        threshold=own.memory_growth_ratio,
        step_range=span_of_steps(evidence, table.step[places], times),
        subject="process",
        source="process_rss_bytes",
    )


def _growth(used: Float64Array, time_us: Int64Array, least_count: int) -> _Growth | None:
    """Return the growth if there is one that goes on over all of the run after warm-up."""
    if len(used) < least_count:
        return None
    start = int(time_us[0]) + (int(time_us[-1]) - int(time_us[0])) // 5
    after = time_us >= start
    used, time_us = used[after], time_us[after]
    if len(used) < _PARTS:
        return None
    parts = block_medians(used, _PARTS)
    rises = np.diff(parts)
    grown = float(parts[-1] - parts[0])
    late = float(parts[-1] - parts[-4])
    if grown <= 0 or np.count_nonzero(rises <= 0) > _MAX_FALLS:
        return None
    if late < _STILL_GROWING * grown * 3 / (_PARTS - 1):
        return None
    moments = block_medians(time_us.astype(np.float64), _PARTS)
    seconds = float(moments[-1] - moments[0]) / 1e6
    return _Growth(float(parts[0]), float(parts[-1]), grown / seconds if seconds > 0 else 0.0)


def _is_large(growth: _Growth, limits: AnalyzerThresholds) -> bool:
    own = limits.runtime
    grown = growth.last_bytes - growth.first_bytes
    return (
        grown >= own.memory_growth_bytes and grown >= own.memory_growth_ratio * growth.first_bytes
    )


def _machine_denies(machine: Float64Array, grown: float) -> bool:
    """Say whether the machine's used memory has stayed where it was.

    Where it has moved otherwise, other processes are at work, and it tells nothing.
    """
    known = machine[np.isfinite(machine)]
    if len(known) < _PARTS:
        return False
    parts = block_medians(known[len(known) // 5 :], _PARTS)
    return abs(float(parts[-1] - parts[0])) + 3.0 * noise(parts) < 0.3 * grown


def _severity(full_ratio: float, limits: AnalyzerThresholds) -> str:
    return "error" if full_ratio >= limits.runtime.memory_error_ratio else "warning"


def _told(growth: _Growth) -> str:
    grown = growth.last_bytes - growth.first_bytes
    return (
        f"has grown from {_size(growth.first_bytes)} to {_size(growth.last_bytes)} after warm-up "
        f"({grown / growth.first_bytes:+.0%}), by {_size(growth.bytes_per_second * 60)} a minute"
    )


def _size(count: float) -> str:
    return f"{count / 2**30:.3g} GiB" if count >= 2**30 else f"{count / 2**20:.3g} MiB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"


RULE = Rule(
    rule_id="memory_growth",
    category="runtime",
    title="Memory growth",
    check=memory_growth,
    advice=(
        "Add up losses as numbers (loss.item() or loss.detach()), not as tensors with a graph.",
        "Look for lists that get an entry every step: outputs, predictions, histories.",
        "Compare two snapshots of tracemalloc, or of torch.cuda.memory_snapshot on a GPU.",
        "Loader workers that copy a large Python list grow too: keep data in arrays.",
    ),
    explains=("run_interrupted",),
)
