"""Disks: how full the one that the run is kept on is, and what goes over all of them."""

from __future__ import annotations

import os
from typing import Any

import psutil

from quark.telemetry.probes.probe import Measured, Window, growth_per_second

READ_PER_SECOND = "system/disk/read_bytes_per_second"
WRITTEN_PER_SECOND = "system/disk/written_bytes_per_second"


class DiskTrafficProbe:
    """What all disks of the machine have read and written; nothing where the system hides it."""

    name = "disk traffic"

    def __init__(self) -> None:
        self._window = Window()

    def measure(self, now: float) -> Measured:
        counters = psutil.disk_io_counters(nowrap=False)
        if counters is None:
            return Measured({})
        rates = growth_per_second(
            self._window,
            now,
            {READ_PER_SECOND: counters.read_bytes, WRITTEN_PER_SECOND: counters.write_bytes},
        )
        fields = {
            "disk_read_bytes": counters.read_bytes,
            "disk_written_bytes": counters.write_bytes,
        }
        return Measured(fields, rates)


def disk_space(folder: str) -> dict[str, Any]:
    """Return how full the file system of ``folder`` is, as fields of a record.

    Used and free do not add up to its size where blocks are set aside for the system; the share is
    that of ``df``.

    Raises:
        OSError: It does not answer, or there is no such folder.
    """
    status = os.statvfs(folder)
    used_bytes = (status.f_blocks - status.f_bfree) * status.f_frsize
    free_bytes = status.f_bavail * status.f_frsize
    fields: dict[str, Any] = {"disk_used_bytes": used_bytes, "disk_free_bytes": free_bytes}
    if used_bytes + free_bytes > 0:
        fields["disk_usage_percent"] = 100.0 * used_bytes / (used_bytes + free_bytes)
    return fields
