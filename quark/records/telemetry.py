"""One sample of what the machine and the training loop were doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemTelemetryRecord(Record):
    """Timings, CPU, memory, disk, network and GPUs at a step or at a moment.

    What was not measured is None. Fields without a word about it are of the whole machine; a
    container's own limits are in the fields that say so, and ``ram_*`` are the container's where
    ``ram_source`` is ``"container"``.

    Each of ``gpus`` may have these, as NVML defines them:

    * ``index``: NVML's, as ``nvidia-smi`` counts; ``uuid``, ``name``
    * ``utilization_percent``: "Percent of time over the past sample period during which one or more
      kernels was executing on the GPU"; ``memory_utilization_percent``: the same "during which
      global (device) memory was being read or written". The period is 1/6 to 1 second
    * ``memory_used_bytes``, ``memory_total_bytes``, ``memory_usage_percent``: what is allocated, by
      all processes, with what the driver reserves
    * ``temperature_celsius``: of the chip
    * ``power_watts``: "power usage for this GPU [...] and its associated circuitry (e.g. memory)",
      over the past second on most newer GPUs, at that instant on others
    * ``energy_joules``: a counter, "total energy consumption for this GPU [...] since the driver
      was last reloaded"
    * ``throttle_reasons``: why clocks are below their highest, as words; ``idle`` is no complaint
    * ``ecc_corrected_count``, ``ecc_uncorrected_count``: memory errors since the driver was loaded
    * ``sm_clock_mhz``
    """

    KIND: ClassVar[str] = "system_telemetry"
    FILTERS: ClassVar[tuple[str, ...]] = ("boundary",)

    boundary: str  # "step" or "time"
    step: int | None = None
    epoch: int | None = None
    step_time_ms: float | None = None
    data_time_ms: float | None = None
    compute_time_ms: float | None = None
    cpu_usage_percent: float | None = None  # of all cores together, 0 to 100
    cpu_count: int | None = None  # logical cores
    cpu_limit_count: float | None = None  # cores that the container may use, if it is limited
    ram_usage_percent: float | None = None  # used of total
    ram_used_bytes: int | None = None  # what cannot be given back without swapping
    ram_total_bytes: int | None = None
    ram_source: str | None = None  # "host" or "container"
    container_memory_limit_bytes: int | None = None  # the tightest limit on this process
    container_memory_used_bytes: int | None = None  # what counts against it, file cache included
    process_rss_bytes: int | None = None
    process_cpu_percent: float | None = None  # with its children; of all cores together, 0 to 100
    process_thread_count: int | None = None
    process_open_file_count: int | None = None
    process_child_count: int | None = None  # children and theirs
    process_children_rss_bytes: int | None = None  # memory that they share counts once for each
    disk_used_bytes: int | None = None  # of the file system that the run is kept on
    disk_free_bytes: int | None = None  # for a process without privileges
    disk_usage_percent: float | None = None  # used of used and free
    disk_read_bytes: int | None = None  # all disks, a counter since the machine started
    disk_written_bytes: int | None = None
    network_received_bytes: int | None = None  # all interfaces but the loopback, a counter
    network_sent_bytes: int | None = None
    gpu_index: int | None = None  # of the first GPU, or of the one that was asked for
    gpu_name: str | None = None
    gpu_utilization_percent: float | None = None
    gpu_memory_used_bytes: int | None = None
    gpu_memory_total_bytes: int | None = None
    gpu_memory_usage_percent: float | None = None
    gpus: tuple[Mapping[str, Any], ...] | None = None  # everything that was measured, by GPU
    overflow_count: int = 0  # so far, also in steps of which there is no record
    skipped_step_count: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
