"""The cores of the machine: how busy they are, and how many of them a container may use."""

from __future__ import annotations

import psutil

from quark.telemetry.probes.cgroup import Cgroup
from quark.telemetry.probes.probe import Measured, Window


class CpuProbe:
    """Share of the time since the last look in which cores were not idle.

    Waiting for a disk counts as idle, as in ``psutil.cpu_percent`` and ``top``. Time of guests is
    in the time of users already.
    """

    name = "CPU"

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup
        self._window = Window()
        self._count = psutil.cpu_count()

    def measure(self, now: float) -> Measured:
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        _, (idle_seconds, total_seconds) = self._window.since(now, (idle, total))
        fields: dict[str, float | None] = {
            "cpu_count": self._count,
            "cpu_limit_count": self._cgroup.cpu_count(),
        }
        if total_seconds > 0:
            busy_percent = 100.0 * (1.0 - idle_seconds / total_seconds)
            fields["cpu_usage_percent"] = min(max(busy_percent, 0.0), 100.0)
        return Measured(fields)
