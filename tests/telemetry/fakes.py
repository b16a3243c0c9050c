"""Hardware that is not here: probes and an NVML that say what a test wants, and a worker that waits
to be told."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from quark.clock import Clock
from quark.pipeline.faults import FaultLog
from quark.telemetry.probe_set import ProbeSet
from quark.telemetry.probes.nvidia import NvidiaProbe
from quark.telemetry.probes.probe import Measured
from quark.telemetry.readings import Readings


class FakeProbe:
    """Gives what ``fields`` and ``series`` hold, or raises ``error``; counts its looks."""

    name = "scripted"

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        self.series: dict[str, float] = {}
        self.error: Exception | None = None
        self.looks = 0

    def measure(self, now: float) -> Measured:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return Measured(dict(self.fields), dict(self.series))


class IdleWorker:
    """In the place of a :class:`BackgroundWorker`: a test calls ``tick`` itself."""

    def __init__(self, work: Any, *, name: str, interval_seconds: float, faults: FaultLog) -> None:
        self.name = name
        self.interval_seconds = interval_seconds
        self.running = False
        self.wakes = 0

    def start(self) -> None:
        self.running = True

    def wake(self) -> None:
        self.wakes += 1

    def close(self, timeout_seconds: float) -> bool:
        self.running = False
        return True


class NVMLError(Exception):
    """As in pynvml: one class per error."""


class NVMLError_NotSupported(NVMLError): ...  # noqa: N801, N818 - pynvml's names


class NVMLError_GpuIsLost(NVMLError): ...  # noqa: N801, N818


class NVMLError_Timeout(NVMLError): ...  # noqa: N801, N818


class NVMLError_LibraryNotFound(NVMLError): ...  # noqa: N801, N818


class NVMLError_LibRmVersionMismatch(NVMLError): ...  # noqa: N801, N818


GIB = 1024**3


class FakeNvml:
    """A ``pynvml`` with as many GPUs as asked for. ``broken`` maps a function's name, or that and a
    GPU's index, to the error it raises; ``calls`` counts calls by name."""

    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1
    NVML_VOLATILE_ECC = 0
    NVML_MEMORY_ERROR_TYPE_CORRECTED = 0
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED = 1
    NVMLError = NVMLError
    NVMLError_NotSupported = NVMLError_NotSupported
    NVMLError_GpuIsLost = NVMLError_GpuIsLost
    NVMLError_LibraryNotFound = NVMLError_LibraryNotFound

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self.broken: dict[Any, NVMLError] = {}
        self.calls: dict[str, int] = {}
        self.throttle_mask = 0x4 | 0x40

    def __getattr__(self, name: str) -> Any:
        answers: Mapping[str, Any] = {
            "nvmlInit": lambda: None,
            "nvmlDeviceGetCount": lambda: self.count,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetUUID": lambda gpu: f"GPU-{gpu:08d}-ffff",
            "nvmlDeviceGetName": lambda gpu: b"NVIDIA H200",
            "nvmlDeviceGetUtilizationRates": lambda gpu: SimpleNamespace(gpu=90 + gpu, memory=40),
            "nvmlDeviceGetMemoryInfo": lambda gpu: SimpleNamespace(used=20 * GIB, total=80 * GIB),
            "nvmlDeviceGetTemperature": lambda gpu, sensor: 61 + gpu,
            "nvmlDeviceGetPowerUsage": lambda gpu: 512_500,
            "nvmlDeviceGetTotalEnergyConsumption": lambda gpu: 7_000_250,
            "nvmlDeviceGetCurrentClocksEventReasons": lambda gpu: self.throttle_mask,
            "nvmlDeviceGetTotalEccErrors": lambda gpu, kind, counter: 3 * (1 - kind),
            "nvmlDeviceGetClockInfo": lambda gpu, kind: 1980,
        }
        if name not in answers:
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            error = self.broken.get(name) or self.broken.get((name, *arguments[:1]))
            if error is not None:
                raise error
            return answers[name](*arguments)

        return call


def absent_nvml() -> FakeNvml:
    """A machine without a driver."""
    nvml = FakeNvml(0)
    nvml.broken["nvmlInit"] = NVMLError_LibraryNotFound("NVML Shared Library Not Found")
    return nvml


#: What a machine with nothing but CPU and memory may give.
HOST: Mapping[str, Any] = {
    "cpu_usage_percent": 25.0,
    "ram_usage_percent": 50.0,
    "ram_used_bytes": 8 * GIB,
    "ram_total_bytes": 16 * GIB,
    "process_rss_bytes": 1 * GIB,
    "cpu_count": 8,
}


def fake_readings(
    clock: Clock, probe: FakeProbe | None = None, nvml: FakeNvml | None = None
) -> Readings:
    """Readings of such a machine, taken only when a test calls ``tick``."""
    host = probe or FakeProbe(**HOST)
    library = nvml or absent_nvml()
    return Readings(
        lambda clock: ProbeSet((host,), NvidiaProbe(library)),
        clock,
        IdleWorker,  # type: ignore[arg-type]
    )
