"""What a watched run is in words: the pieces of the screen, and of a line where there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quark.cli.output import shown

if TYPE_CHECKING:
    from quark.cli.watch_state import Metric, Seen

_EIGHTHS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-:=+*#"
#: Values this many times apart are drawn on a logarithmic scale.
_LOG_RATIO = 30.0
_GIB = 1 << 30


def sparkline(cells: Sequence[float], width: int, *, ascii_only: bool = False) -> str:
    """Return a curve of one line and at most ``width`` characters; ``x`` is what is not finite.

    >>> sparkline([1.0, 2.0, 3.0, float("nan"), 8.0], 10)
    '▁▂▃x█'
    """
    if width < 1 or not cells:
        return ""
    levels = _ASCII if ascii_only else _EIGHTHS
    drawn = list(cells)
    if len(cells) > width:
        drawn = [_mean(cells, place, width) for place in range(width)]
    finite = [one for one in drawn if math.isfinite(one)]
    if not finite:
        return "x" * len(drawn)
    low, high = min(finite), max(finite)
    scale = math.log if low > 0 and high / low > _LOG_RATIO else float
    bottom, span = scale(low), scale(high) - scale(low)

    def level(value: float) -> str:
        if not math.isfinite(value):
            return "x"
        share = (scale(value) - bottom) / span if span > 0 else 0.0
        return levels[min(len(levels) - 1, int(share * len(levels)))]

    return "".join(map(level, drawn))


def _mean(cells: Sequence[float], place: int, width: int) -> float:
    part = cells[place * len(cells) // width : (place + 1) * len(cells) // width]
    finite = [one for one in part if math.isfinite(one)]
    return sum(finite) / len(finite) if finite else math.nan


def elapsed(seen: Seen) -> str:
    """Return how long a run has taken so far."""
    from quark.cli.run_values import duration_seconds
    from quark.report.lines import seconds_in_words

    seconds = duration_seconds(seen.run)
    return "-" if seconds is None else seconds_in_words(float(int(seconds)))


def speed(seen: Seen) -> str | None:
    """Return how many steps there are a second, or how long one takes."""
    rate = seen.steps_per_second
    if rate is None or rate <= 0:
        return None
    return f"{rate:.3g} steps/s" if rate >= 0.1 else f"{1 / rate:.3g} s a step"


def machine(seen: Seen) -> str:
    """Return what the machine does, in a line; nothing if nobody measured it."""
    return "   ".join(f"{name} {text}" for name, text in _machine(seen))


def _machine(seen: Seen) -> Iterator[tuple[str, str]]:
    measured = _measured(seen)
    for name, key in (("cpu", "cpu_percent"), ("ram", "ram_percent"), ("disk", "disk_percent")):
        if measured.get(key) is not None:
            yield name, f"{measured[key]:.0f} %"
    if measured.get("rss_bytes") is not None:
        yield "process", f"{measured['rss_bytes'] / _GIB:.2f} GiB"
    for gpu in measured["gpus"]:
        parts = [
            f"{gpu['utilization_percent']:.0f} %" if "utilization_percent" in gpu else None,
            f"{gpu['memory_used_bytes'] / _GIB:.1f} GiB" if "memory_used_bytes" in gpu else None,
            f"{gpu['temperature_celsius']:.0f} °C" if "temperature_celsius" in gpu else None,
            f"{gpu['power_watts']:.0f} W" if "power_watts" in gpu else None,
        ]
        yield f"gpu{gpu.get('index', '')}", " ".join(part for part in parts if part) or "-"


def _measured(seen: Seen) -> dict[str, Any]:
    """Return the latest measurements: of a record, or of the points that W&B runs have."""
    one, values = seen.system, seen.system_values
    gpus: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        parts = key.split("/")
        if len(parts) == 4 and parts[1] == "gpu" and math.isfinite(value):
            gpus.setdefault(parts[2], {"index": parts[2]})[parts[3]] = value
    found = {
        "cpu_percent": values.get("system/cpu/usage_percent"),
        "ram_percent": values.get("system/ram/usage_percent"),
        "disk_percent": values.get("system/disk/usage_percent"),
        "rss_bytes": values.get("system/process/rss_bytes"),
        "gpus": list(gpus.values()),
    }
    if one is not None:
        told = {
            "cpu_percent": one.cpu_usage_percent,
            "ram_percent": one.ram_usage_percent,
            "disk_percent": one.disk_usage_percent,
            "rss_bytes": one.process_rss_bytes,
            "gpus": [dict(gpu) for gpu in one.gpus or ()],
        }
        found.update({name: value for name, value in told.items() if value not in (None, [])})
    return found


def plain_line(seen: Seen, most_metrics: int = 8) -> str:
    """Return a run as it is in one line, for where there is no terminal."""
    from quark.clock import SYSTEM_CLOCK, format_timestamp

    parts = [format_timestamp(SYSTEM_CLOCK.time_us())[11:19], str(seen.run.status)]
    if seen.step is not None:
        parts.append(f"step {seen.step}")
    parts += [text for text in (speed(seen),) if text]
    metrics = seen.metrics[:most_metrics]
    parts += [f"{shown(one.key)}={shown(one.last)}" for one in metrics]
    if len(seen.metrics) > len(metrics):
        parts.append(f"(+{len(seen.metrics) - len(metrics)})")
    if seen.alerts:
        parts.append(f"{len(seen.alerts)} alerts, worst: {shown(seen.alerts[0].title)}")
    if seen.stop_asked_by is not None:
        parts.append(f"asked to stop by {shown(seen.stop_asked_by)}")
    return "  ".join(parts)


def as_json(seen: Seen) -> Mapping[str, Any]:
    """Return a run as it is, as plain values."""
    from quark.cli.run_values import duration_seconds
    from quark.clock import SYSTEM_CLOCK, format_timestamp

    return {
        "time": format_timestamp(SYSTEM_CLOCK.time_us()),
        "id": seen.run.id,
        "status": str(seen.run.status),
        "step": seen.step,
        "steps_per_second": seen.steps_per_second,
        "elapsed_seconds": duration_seconds(seen.run),
        "metrics": {one.key: one.last for one in seen.metrics},
        "alerts": [{"severity": one.severity, "title": one.title} for one in seen.alerts],
        "phase": seen.phases[-1].phase_name if seen.phases else None,
        "stop_asked_by": seen.stop_asked_by,
    }


def bests(metric: Metric) -> str:
    """Return the best value of a metric, or its range where nobody knows what is better."""
    if metric.best is not None and math.isfinite(metric.best):
        return shown(metric.best)
    if metric.count > 1 and math.isfinite(metric.low) and math.isfinite(metric.high):
        return f"{metric.low:.4g} … {metric.high:.4g}"
    return ""
