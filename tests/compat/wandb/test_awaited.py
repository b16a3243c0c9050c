"""Tensors on a device: ``log`` does not wait for them, and they land in the row they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import quark.compat.wandb as wandb
from quark.hooks.transfer import Transfer


class DeviceTensor(torch.Tensor):
    """Says that it is on a device, and lets nobody look at its numbers on the calling thread."""

    @property
    def is_cpu(self) -> bool:  # type: ignore[override]
        return False

    def item(self) -> Any:
        raise AssertionError("log waited for the device")

    tolist = numpy = __float__ = __bool__ = __int__ = item  # type: ignore[assignment]


def on_device(*numbers: float) -> torch.Tensor:
    tensor = torch.tensor(numbers if len(numbers) != 1 else numbers[0])
    return tensor.as_subclass(DeviceTensor)


class Device:
    """Copies arrive when ``busy`` is False."""

    busy = True


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    device = Device()
    wait = Transfer.wait
    monkeypatch.setattr(Transfer, "ready", lambda self: not device.busy)
    monkeypatch.setattr(
        Transfer,
        "wait",
        lambda self: wait(self).as_subclass(torch.Tensor),  # as a copy would be
    )
    return device


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    started = wandb.init(project="p")
    yield started
    wandb.finish()


def rows(run: Any) -> list[dict[str, Any]]:
    wandb.finish()
    return [
        {key: value for key, value in row.items() if key not in ("_timestamp", "_runtime")}
        for row in wandb.Api().run(run.id).scan_history()
    ]


def test_rows_are_complete_once_the_device_has_answered(run: Any, device: Device) -> None:
    loss = on_device(0.5)
    wandb.log({"loss": loss, "lr": 0.1, "nested": {"norm": on_device(3.0), "plain": 1}})
    loss.fill_(99.0)  # the copy was taken at the call
    wandb.log({"loss": on_device(0.25), "weights": on_device(1.0, 2.0)}, commit=False)
    wandb.log({"late": 1})
    wandb.log({"loss": on_device(float("nan"))}, step=7)
    wandb.log({"only": on_device(1.0)})

    assert run.step == 8
    device.busy = False

    first, second, *rest = rows(run)
    assert first == {"_step": 0, "loss": 0.5, "lr": 0.1, "nested.norm": 3, "nested.plain": 1}
    assert second == {"_step": 1, "loss": 0.25, "weights": [1.0, 2.0], "late": 1}
    assert [row["_step"] for row in rest] == [7]
    assert rest[0]["only"] == 1
    assert rest[0]["loss"] != rest[0]["loss"]


def test_the_summary_shows_what_was_logged_last(run: Any, device: Device) -> None:
    wandb.log({"loss": on_device(0.5), "accuracy": 0.1})
    wandb.log({"loss": on_device(0.25)})

    assert run.summary["loss"] == 0.25  # waits
    assert dict(run.summary)["accuracy"] == 0.1
    wandb.finish()
    assert wandb.Api().run(run.id).summary["loss"] == 0.25


def test_rules_of_define_metric_hold_for_them(run: Any, device: Device) -> None:
    wandb.define_metric("epoch")
    wandb.define_metric("loss", step_metric="epoch", summary="min")
    wandb.log({"epoch": 3, "loss": on_device(0.5)})
    wandb.log({"loss": on_device(0.25)})
    wandb.log({"loss": on_device(0.75)})

    assert run.summary["loss"]["min"] == 0.25
    assert [row["epoch"] for row in rows(run)] == [3, 3, 3]


def test_a_disabled_run_has_them_in_its_summary() -> None:
    run = wandb.init(mode="disabled")
    wandb.log({"loss": on_device(0.5).as_subclass(torch.Tensor)})

    assert run.summary["loss"] == 0.5
    run.finish()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_is_not_waited_for(run: Any) -> None:
    losses = [torch.tensor(float(step), device="cuda") for step in range(5)]
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for loss in losses:
            wandb.log({"loss": loss})
    finally:
        torch.cuda.set_sync_debug_mode("default")

    assert [row["loss"] for row in rows(run)] == [0, 1, 2, 3, 4]
