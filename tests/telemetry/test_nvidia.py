"""GPUs as NVML gives them: all of them, with what they lack, when they are lost, or not at all."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from quark.telemetry.probes.nvidia import THROTTLE_REASONS, NvidiaProbe
from quark.telemetry.probes.visible import visible_devices
from tests.telemetry.fakes import (
    GIB,
    FakeNvml,
    NVMLError_GpuIsLost,
    NVMLError_LibRmVersionMismatch,
    NVMLError_NotSupported,
    NVMLError_Timeout,
    absent_nvml,
)

GPU_0 = {
    "index": 0,
    "uuid": "GPU-00000000-ffff",
    "name": "NVIDIA H200",
    "utilization_percent": 90.0,
    "memory_utilization_percent": 40.0,
    "memory_used_bytes": 20 * GIB,
    "memory_total_bytes": 80 * GIB,
    "memory_usage_percent": 25.0,
    "temperature_celsius": 61.0,
    "power_watts": 512.5,
    "energy_joules": 7000.25,
    "throttle_reasons": ["software_power_cap", "hardware_thermal_slowdown"],
    "ecc_corrected_count": 3,
    "ecc_uncorrected_count": 0,
    "sm_clock_mhz": 1980.0,
}


class Troubles(list[tuple[str, Exception]]):
    """What a probe complained about."""

    def take(self, cause: str, error: Exception) -> None:
        self.append((cause, error))

    @property
    def causes(self) -> list[str]:
        return [cause for cause, _ in self]


def test_every_gpu_gives_everything_under_its_unit() -> None:
    troubles = Troubles()

    gpus = NvidiaProbe(FakeNvml(2)).measure(0.0, troubles.take)

    assert gpus[0] == GPU_0
    assert gpus[1]["uuid"] == "GPU-00000001-ffff"
    assert (gpus[1]["utilization_percent"], gpus[1]["temperature_celsius"]) == (91.0, 62.0)
    assert troubles == []


def test_what_a_gpu_does_not_have_is_left_out_and_not_asked_for_again() -> None:
    nvml = FakeNvml()
    missing = ("nvmlDeviceGetTotalEccErrors", "nvmlDeviceGetPowerUsage")
    nvml.broken = {name: NVMLError_NotSupported("Not Supported") for name in missing}
    probe, troubles = NvidiaProbe(nvml), Troubles()

    first, second = (probe.measure(now, troubles.take)[0] for now in (0.0, 1.0))

    lacking = {"power_watts", "ecc_corrected_count", "ecc_uncorrected_count"}
    assert GPU_0.keys() - first.keys() == lacking
    assert first == second
    assert [nvml.calls[name] for name in missing] == [1, 1]
    assert nvml.calls["nvmlDeviceGetTemperature"] == 2
    assert troubles == []


def test_a_gpu_that_is_lost_is_left_out_and_asked_once_a_minute() -> None:
    nvml, troubles = FakeNvml(2), Troubles()
    probe = NvidiaProbe(nvml)
    assert set(probe.measure(0.0, troubles.take)) == {0, 1}
    nvml.broken[("nvmlDeviceGetUtilizationRates", 0)] = NVMLError_GpuIsLost("GPU is lost")
    asked = nvml.calls["nvmlDeviceGetUtilizationRates"]

    seen = [set(probe.measure(now, troubles.take)) for now in (1.0, 2.0, 60.9, 61.0, 100.0)]
    nvml.broken.clear()
    seen += [set(probe.measure(now, troubles.take)) for now in (120.9, 121.0)]

    assert seen == [{1}] * 6 + [{0, 1}]
    assert troubles.causes == ["GPU 0 does not answer and is left out"] * 2  # at 1 s and at 61 s
    assert nvml.calls["nvmlDeviceGetUtilizationRates"] == asked + 7 + 3
    assert probe.count == 2


def test_a_number_that_fails_now_and_then_is_left_out_that_time() -> None:
    nvml, troubles = FakeNvml(), Troubles()
    probe = NvidiaProbe(nvml)
    nvml.broken["nvmlDeviceGetPowerUsage"] = NVMLError_Timeout("Timeout")
    without = probe.measure(0.0, troubles.take)[0]
    nvml.broken.clear()

    assert "power_watts" not in without
    assert probe.measure(1.0, troubles.take)[0] == GPU_0
    assert troubles.causes == ["power of GPU 0 cannot be measured"]


def test_no_driver_no_gpu_and_no_package_are_no_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    troubles = Troubles()
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as if it were not installed
    probes = {
        "no NVIDIA driver: NVML Shared Library": NvidiaProbe(absent_nvml()),
        "no NVIDIA GPU": NvidiaProbe(FakeNvml(0)),
        "the package nvidia-ml-py cannot be imported": NvidiaProbe(),
    }

    for reason, probe in probes.items():
        assert not probe.is_ready
        assert probe.measure(0.0, troubles.take) == {}
        assert probe.is_ready
        assert (probe.absent or "").startswith(reason)
    assert troubles == []


def test_a_driver_that_does_not_fit_is_a_fault_and_is_tried_again_after_a_minute() -> None:
    nvml, troubles = FakeNvml(), Troubles()
    nvml.broken["nvmlInit"] = NVMLError_LibRmVersionMismatch("RM has detected a mismatch")
    probe = NvidiaProbe(nvml)
    for now in (0.0, 1.0, 59.9):
        assert probe.measure(now, troubles.take) == {}
    nvml.broken.clear()

    assert probe.measure(59.9, troubles.take) == {}
    assert probe.measure(60.0, troubles.take) == {0: GPU_0}
    assert troubles.causes == ["GPUs cannot be measured"]
    assert probe.absent is None


def test_gpus_are_those_that_cuda_may_use_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")

    gpus = NvidiaProbe(FakeNvml(3)).measure(0.0, Troubles().take)

    assert {number: gpu["index"] for number, gpu in gpus.items()} == {0: 2, 1: 0}

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    hidden = NvidiaProbe(FakeNvml(3))
    assert hidden.measure(0.0, Troubles().take) == {}
    assert hidden.absent == "CUDA_VISIBLE_DEVICES hides all GPUs"


UUIDS = ("GPU-aa1", "GPU-ab2", "GPU-b03")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, (0, 1, 2)),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("1", (1,)),
        (" 2 , 1 ", (2, 1)),
        ("0,3,1", (0,)),
        ("0,-1,1", (0,)),
        ("1,1", (1,)),
        ("GPU-b", (2,)),
        ("GPU-a", ()),  # two begin so
        ("GPU-ab2,0", (1, 0)),
        ("MIG-GPU-b03/1/0", (2,)),
        ("MIG-5c1f", (0, 1, 2)),
    ],
)
def test_the_variable_is_read_as_cuda_reads_it(text: str | None, expected: tuple[int, ...]) -> None:
    assert visible_devices(text, UUIDS) == expected


@settings(max_examples=30)
@given(mask=st.integers(0, 2**12 - 1))
def test_throttle_reasons_are_the_bits_that_are_set(mask: int) -> None:
    nvml = FakeNvml()
    nvml.throttle_mask = mask

    gpu: Mapping[str, Any] = NvidiaProbe(nvml).measure(0.0, Troubles().take)[0]

    bits = [1 << place for place in range(12) if mask >> place & 1]
    assert gpu["throttle_reasons"] == [THROTTLE_REASONS[bit] for bit in bits if bit <= 0x100]


def test_the_words_for_throttling_stand_for_the_constants_of_the_package() -> None:
    pynvml = pytest.importorskip("pynvml")
    names = {
        "idle": "GpuIdle",
        "application_clocks_setting": "ApplicationsClocksSetting",
        "software_power_cap": "SwPowerCap",
        "hardware_slowdown": "HwSlowdown",
        "sync_boost": "SyncBoost",
        "software_thermal_slowdown": "SwThermalSlowdown",
        "hardware_thermal_slowdown": "HwThermalSlowdown",
        "hardware_power_brake": "HwPowerBrakeSlowdown",
        "display_clock_setting": "DisplayClockSetting",
    }

    assert {word: bit for bit, word in THROTTLE_REASONS.items()} == {
        word: getattr(pynvml, f"nvmlClocksThrottleReason{name}") for word, name in names.items()
    }


@pytest.mark.gpu
def test_a_real_gpu_gives_numbers_that_can_be_true() -> None:
    import torch

    troubles = Troubles()

    gpus = NvidiaProbe().measure(0.0, troubles.take)

    assert troubles == []
    assert len(gpus) == torch.cuda.device_count()
    assert gpus[0]["name"] == torch.cuda.get_device_name(0)
    _, total = torch.cuda.mem_get_info(0)
    assert gpus[0]["memory_total_bytes"] == pytest.approx(total, rel=0.05)
    assert 0 <= gpus[0]["utilization_percent"] <= 100
    assert 1 < gpus[0]["power_watts"] < 3000
