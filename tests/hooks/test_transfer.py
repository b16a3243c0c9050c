"""A copy from a device is started, asked about and awaited; nobody waits on the way."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from quark.hooks.transfer import Transfer
from tests.hooks.plainly import DEVICES


class FakeDevice:
    """What of CUDA a transfer uses. ``calls`` has it in order; nothing arrives before it is
    awaited or :meth:`arrive` is called."""

    type = "cuda"

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.arrived = False
        empty = torch.empty

        def fake_empty(shape: Any, *, dtype: Any, device: str, pin_memory: bool) -> FakePinned:
            assert (device, pin_memory) == ("cpu", True)
            return FakePinned(self, empty(shape, dtype=dtype))

        patch.setattr(torch, "empty", fake_empty)
        patch.setattr(torch.cuda, "Event", lambda: FakeEvent(self))
        patch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device.type}")


class FakeOnDevice:
    def __init__(self, device: FakeDevice, values: torch.Tensor) -> None:
        self.device, self.values = device, values
        self.shape, self.dtype = values.shape, values.dtype
        self.numel, self.element_size = values.numel, values.element_size


class FakePinned:
    def __init__(self, device: FakeDevice, values: torch.Tensor) -> None:
        self.device, self.values = device, values

    def copy_(self, source: FakeOnDevice, *, non_blocking: bool) -> None:
        assert non_blocking
        self.device.calls.append("copy")
        self.values.copy_(source.values)

    def cpu(self) -> torch.Tensor:
        assert self.device.arrived
        return self.values


class FakeEvent:
    def __init__(self, device: FakeDevice) -> None:
        self.device = device

    def record(self, stream: str) -> None:
        self.device.calls.append(f"record on {stream}")

    def query(self) -> bool:
        self.device.calls.append("query")
        return self.device.arrived

    def synchronize(self) -> None:
        self.device.calls.append("wait")
        self.device.arrived = True


def test_a_copy_from_a_device_waits_only_where_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    with monkeypatch.context() as patch:
        device = FakeDevice(patch)
        source: Any = FakeOnDevice(device, values)

        transfer = Transfer(source)

        assert device.calls == ["copy", "record on stream of cuda"]
        assert transfer.size_bytes == 24
        assert not transfer.ready()
        device.arrived = True
        assert transfer.ready()
        assert "wait" not in device.calls
        device.arrived = False
        assert transfer.wait().tolist() == [1.0, 2.0, 4.0]
        assert device.calls[-1] == "wait"


@pytest.mark.parametrize("keep", [False, True])
def test_on_a_cpu_there_is_nothing_to_wait_for(keep: bool) -> None:
    values = torch.tensor([1.0, 2.0])

    transfer = Transfer(values, keep=keep)
    values += 1

    assert transfer.ready()
    assert transfer.wait().tolist() == ([1.0, 2.0] if keep else [2.0, 3.0])


@pytest.mark.gpu
def test_a_copy_from_a_real_device_is_asynchronous_and_right() -> None:
    values = torch.randn(1000, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        transfers = [Transfer(values[n:].clone()) for n in range(100)]
        ready = [transfer.ready() for transfer in transfers]
    finally:
        torch.cuda.set_sync_debug_mode("default")

    assert len(ready) == 100
    for n, transfer in enumerate(transfers):
        assert torch.equal(transfer.wait(), values.cpu()[n:])


@pytest.mark.parametrize("device", DEVICES)
def test_a_default_device_does_not_get_in_the_way(device: str) -> None:
    values = torch.ones(3, device=device)
    with torch.device(device):
        assert Transfer(values).wait().tolist() == [1.0, 1.0, 1.0]
