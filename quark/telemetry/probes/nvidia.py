"""NVIDIA GPUs, by NVML: the library of the driver, through the package ``nvidia-ml-py``.

A machine without a driver or without a GPU is nothing to complain about: ``absent`` says why
nothing is measured. A GPU that fails while the run goes on (it fell off the bus, the driver was
reloaded) is reported, left out, and asked again a minute later.

What each number means is in :class:`~quark.records.SystemTelemetryRecord`, in NVML's words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from quark.settings import environment
from quark.telemetry.barrier import OnTrouble
from quark.telemetry.probes.visible import VARIABLE, visible_devices

RETRY_SECONDS = 60.0

#: Bits of ``nvmlDeviceGetCurrentClocksEventReasons``, as nvml.h has them, and our words for them.
THROTTLE_REASONS: Mapping[int, str] = {
    0x001: "idle",
    0x002: "application_clocks_setting",
    0x004: "software_power_cap",
    0x008: "hardware_slowdown",
    0x010: "sync_boost",
    0x020: "software_thermal_slowdown",
    0x040: "hardware_thermal_slowdown",
    0x080: "hardware_power_brake",
    0x100: "display_clock_setting",
}

#: NVML's errors after which a GPU is left alone for a while. Old bindings do not have all of them.
_LOST = (
    *("NVMLError_GpuIsLost", "NVMLError_NotFound", "NVMLError_Unknown", "NVMLError_ResetRequired"),
    *("NVMLError_Uninitialized", "NVMLError_DriverNotLoaded", "NVMLError_GpuNotFound"),
)
#: A number that this GPU, or this user, will not get: it is not asked for again.
_REFUSED = (
    *("NVMLError_NotSupported", "NVMLError_NoPermission", "NVMLError_FunctionNotFound"),
    *("NVMLError_InvalidArgument", "NVMLError_ArgumentVersionMismatch", "NVMLError_Deprecated"),
)
#: There is no NVIDIA GPU here that could be used.
_ABSENT = ("NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded")


@dataclass(slots=True)
class _Device:
    """One GPU: what does not change about it, and since when it does not answer."""

    handle: Any
    identity: Mapping[str, Any]
    refused: set[str] = field(default_factory=set)
    ask_again_at: float = 0.0

    @property
    def name(self) -> str:
        return f"GPU {self.identity['index']}"


class NvidiaProbe:
    """Looks at all GPUs that CUDA would use. ``library`` is what is imported, for tests.

    NVML is left open: closing it would take it from others in this process.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = library
        self._devices: list[_Device] | None = None
        self._ask_again_at = 0.0
        self.absent: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a look is quick: the library is loaded, or known not to be there."""
        return self._devices is not None

    @property
    def count(self) -> int:
        """How many GPUs there are, with those that do not answer."""
        return len(self._devices or ())

    def measure(self, now: float, on_trouble: OnTrouble) -> dict[int, Mapping[str, Any]]:
        """Return what each GPU gave, by CUDA's number; one that does not answer is not in it."""
        if self._devices is None:
            if now < self._ask_again_at:
                return {}
            self._ask_again_at = now + RETRY_SECONDS
            self._devices = self._found_devices(on_trouble)
        found = {}
        for number, device in enumerate(self._devices or ()):
            if now < device.ask_again_at:
                continue
            try:
                found[number] = self._measure(device, on_trouble)
            except self._errors(_LOST) as error:
                device.ask_again_at = now + RETRY_SECONDS
                on_trouble(f"{device.name} does not answer and is left out", error)
        return found

    def _found_devices(self, on_trouble: OnTrouble) -> list[_Device] | None:
        """Open NVML; None if it may work another time."""
        if self._library is None:
            try:
                self._library = import_module("pynvml")
            except ImportError as error:
                self.absent = f"the package nvidia-ml-py cannot be imported: {error}"
                return []
        nvml = self._library
        try:
            nvml.nvmlInit()
            handles = [
                nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())
            ]
            uuids = [_text(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
        except self._errors(_ABSENT) as error:
            self.absent = f"no NVIDIA driver: {error}"
            return []
        except nvml.NVMLError as error:
            on_trouble("GPUs cannot be measured", error)
            return None
        visible = visible_devices(environment((VARIABLE,)).get(VARIABLE), uuids)
        if not visible:
            self.absent = f"{VARIABLE} hides all GPUs" if uuids else "no NVIDIA GPU"
        return [self._device(handles[index], index, uuids[index]) for index in visible]

    def _device(self, handle: Any, index: int, uuid: str) -> _Device:
        identity: dict[str, Any] = {"index": index, "uuid": uuid}
        try:
            identity["name"] = _text(self._library.nvmlDeviceGetName(handle))
        except self._library.NVMLError:
            identity["name"] = "unknown"
        return _Device(handle, identity)

    def _measure(self, device: _Device, on_trouble: OnTrouble) -> Mapping[str, Any]:
        found: dict[str, Any] = dict(device.identity)
        for name, look in _LOOKS.items():
            if name in device.refused:
                continue
            try:
                found.update(look(self._library, device.handle))
            except self._errors(_REFUSED):
                device.refused.add(name)
            except self._errors(_LOST):
                raise
            except self._library.NVMLError as error:
                on_trouble(f"{name} of {device.name} cannot be measured", error)
        return found

    def _errors(self, names: tuple[str, ...]) -> tuple[type[Exception], ...]:
        return tuple(getattr(self._library, name) for name in names if hasattr(self._library, name))


def _text(value: Any) -> str:
    """Old bindings give bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _utilization(nvml: Any, handle: Any) -> dict[str, Any]:
    rates = nvml.nvmlDeviceGetUtilizationRates(handle)
    return {
        "utilization_percent": float(rates.gpu),
        "memory_utilization_percent": float(rates.memory),
    }


def _memory(nvml: Any, handle: Any) -> dict[str, Any]:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    found = {"memory_used_bytes": int(memory.used), "memory_total_bytes": int(memory.total)}
    if memory.total:
        found["memory_usage_percent"] = 100.0 * memory.used / memory.total
    return found


def _temperature(nvml: Any, handle: Any) -> dict[str, Any]:
    celsius = nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
    return {"temperature_celsius": float(celsius)}


def _power(nvml: Any, handle: Any) -> dict[str, Any]:
    return {"power_watts": nvml.nvmlDeviceGetPowerUsage(handle) / 1000.0}


def _energy(nvml: Any, handle: Any) -> dict[str, Any]:
    return {"energy_joules": nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000.0}


def _throttling(nvml: Any, handle: Any) -> dict[str, Any]:
    # NVML renamed it with driver 535; old bindings have the old name only.
    ask = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
    mask = (ask or nvml.nvmlDeviceGetCurrentClocksThrottleReasons)(handle)
    return {"throttle_reasons": [word for bit, word in THROTTLE_REASONS.items() if mask & bit]}


def _ecc(nvml: Any, handle: Any) -> dict[str, Any]:
    return {
        name: int(nvml.nvmlDeviceGetTotalEccErrors(handle, kind, nvml.NVML_VOLATILE_ECC))
        for name, kind in (
            ("ecc_corrected_count", nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
            ("ecc_uncorrected_count", nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        )
    }


def _sm_clock(nvml: Any, handle: Any) -> dict[str, Any]:
    return {"sm_clock_mhz": float(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM))}


_LOOKS: Mapping[str, Callable[[Any, Any], dict[str, Any]]] = {
    "utilization": _utilization,
    "memory": _memory,
    "temperature": _temperature,
    "power": _power,
    "energy": _energy,
    "throttling": _throttling,
    "ECC": _ecc,
    "SM clock": _sm_clock,
}
