"""Memory: the machine's, or the container's where that is limited more tightly."""

from __future__ import annotations

from typing import Any

import psutil

from quark.telemetry.probes.cgroup import Cgroup
from quark.telemetry.probes.probe import Measured


class MemoryProbe:
    """What cannot be given back without swapping, and how much there is."""

    name = "memory"

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup

    def measure(self, now: float) -> Measured:
        host = psutil.virtual_memory()
        used_bytes, total_bytes, source = host.total - host.available, host.total, "host"
        fields: dict[str, Any] = {}
        limit = self._cgroup.memory()
        if limit is not None:
            fields["container_memory_limit_bytes"] = limit.limit_bytes
            fields["container_memory_used_bytes"] = limit.used_bytes
            if limit.limit_bytes < host.total:
                used_bytes = limit.used_bytes - limit.given_back_bytes
                total_bytes, source = limit.limit_bytes, "container"
        fields["ram_source"] = source
        fields["ram_used_bytes"] = used_bytes
        fields["ram_total_bytes"] = total_bytes
        if total_bytes > 0:
            fields["ram_usage_percent"] = min(100.0 * used_bytes / total_bytes, 100.0)
        return Measured(fields)
