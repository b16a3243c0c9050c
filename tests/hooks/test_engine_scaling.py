"""Under mixed precision, gradients are those of the loss itself, whatever multiplied it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from quark import HookEngine, HookEngineConfig, LayerFilterConfig, TrainingSession
from quark.hooks import grad_scale
from quark.records import LayerSummaryRecord

#: Device, type of autocast.
PRECISIONS = [
    ("cpu", torch.float16),
    pytest.param("cuda", torch.float16, marks=pytest.mark.gpu),
]


@pytest.fixture(autouse=True)
def _no_scaler_of_another_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A search walks the process; scalers that other tests left to the garbage are not ours."""
    mine: list[Any] = []
    found = grad_scale._search
    start = torch.amp.GradScaler.__init__

    def init(self: Any, *args: Any, **named: Any) -> None:
        start(self, *args, **named)
        mine.append(self)

    monkeypatch.setattr(torch.amp.GradScaler, "__init__", init)
    monkeypatch.setattr(grad_scale, "_search", lambda: [one for one in found() if one in mine])
    yield
    mine.clear()


def new_model(device: str = "cpu") -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)).to(device)


def train(
    session: TrainingSession,
    scaler: torch.amp.GradScaler | None,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float16,
    steps: int = 1,
    name: bool = False,
    config: HookEngineConfig | None = None,
) -> tuple[LayerSummaryRecord, ...]:
    model = new_model(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    x = torch.randn(16, 8, generator=torch.Generator().manual_seed(0)).to(device)
    with HookEngine(session, model, optimizer, config=config) as hooks:
        if name:
            hooks.use_grad_scaler(scaler)
        for step in range(steps):
            with hooks.step(step):
                with torch.autocast(device, dtype):
                    loss = model(x).float().pow(2).sum()
                (loss if scaler is None else scaler.scale(loss)).backward()
                if scaler is not None:
                    scaler.step(optimizer)
                    scaler.update()
        found: tuple[LayerSummaryRecord, ...] = hooks.read(summary_type="gradient")
    return found


def numbers(found: tuple[LayerSummaryRecord, ...]) -> list[tuple[Any, ...]]:
    return [(one.step, one.module_name, one.mean, one.std, one.norm, one.variance) for one in found]


def check_equal(
    found: tuple[LayerSummaryRecord, ...], plain: tuple[LayerSummaryRecord, ...]
) -> None:
    assert len(found) == len(plain) > 0
    for one, other in zip(numbers(found), numbers(plain), strict=True):
        assert one[:2] == other[:2]
        assert one[2:] == pytest.approx(other[2:], rel=1e-3, abs=1e-7)


@pytest.mark.parametrize(("device", "dtype"), PRECISIONS)
@pytest.mark.parametrize("name", [False, True], ids=["found", "named"])
def test_summaries_are_those_without_scaling_and_say_by_what_they_were_divided(
    session: TrainingSession, device: str, dtype: torch.dtype, name: bool
) -> None:
    plain = train(session, None, device=device, dtype=dtype, steps=3)
    scaler = torch.amp.GradScaler(device, init_scale=128.0, growth_interval=2)

    found = train(session, scaler, device=device, dtype=dtype, steps=3, name=name)[9:]

    check_equal(found, plain)
    assert [one.metadata.get("grad_scale") for one in found] == [128.0] * 6 + [256.0] * 3
    assert not any("grad_scale" in one.metadata for one in plain)
    assert {one.metadata.get("dtype") for one in found if one.module_name != "1"} == {"float16"}


def test_a_float16_region_is_noticed_by_layers_that_put_out_float32(
    session: TrainingSession,
) -> None:
    class Wide(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.float()

    model = nn.Sequential(nn.Linear(8, 8), Wide())
    filters = LayerFilterConfig(include_types=("Wide",))
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    with HookEngine(session, model, config=HookEngineConfig(filters=filters)) as hooks:
        with hooks.step(0):
            with torch.autocast("cpu", torch.float16):
                loss = model(torch.ones(2, 8)).sum()
            scaler.scale(loss).backward()
        (one,) = hooks.read(summary_type="gradient")

    assert (one.mean, one.metadata) == (1.0, {"grad_scale": 64.0})


def test_a_scaler_of_another_training_does_not_touch_full_precision(
    session: TrainingSession,
) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    train(session, scaler)
    model = new_model()

    with HookEngine(session, model) as hooks:
        with hooks.step(100):
            model(torch.ones(2, 8)).sum().backward()
        found = hooks.read(summary_type="gradient", step=100)

    assert not any("grad_scale" in one.metadata for one in found)
    assert found[0].mean == 1.0


def test_a_named_scaler_counts_in_every_precision(session: TrainingSession) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=32.0)
    plain = train(session, None, dtype=torch.bfloat16)

    found = train(session, scaler, dtype=torch.bfloat16, name=True)[3:]

    check_equal(found, plain)
    assert {one.metadata["grad_scale"] for one in found} == {32.0}


def test_a_scaler_that_is_turned_off_divides_nothing(session: TrainingSession) -> None:
    scaler = torch.amp.GradScaler("cpu", enabled=False)

    found = train(session, scaler, name=True)

    assert found
    assert not any("grad_scale" in one.metadata for one in found)


def test_two_scalers_matter_only_where_their_scales_differ(session: TrainingSession) -> None:
    plain = train(session, None)
    scalers = [torch.amp.GradScaler("cpu", init_scale=64.0) for _ in range(2)]
    for scaler in scalers:
        scaler.scale(torch.ones(1))

    alike = train(session, scalers[0])[3:]
    scalers[1].update(256.0)
    unlike = train(session, scalers[0])[6:]
    named = train(session, scalers[0], name=True)[9:]

    check_equal(alike, plain)
    check_equal(named, plain)
    assert {one.metadata["grad_scale"] for one in (*alike, *named)} == {64.0}
    assert all(one.metadata["grad_scales"] == [64.0, 256.0] for one in unlike)
    assert [one.norm for one in unlike] == pytest.approx(
        [64.0 * (one.norm or 0.0) for one in plain], rel=1e-3
    )


def test_an_overflow_is_counted_and_the_rest_is_divided(session: TrainingSession) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)

    found = train(session, scaler)

    assert all(one.metadata["grad_scale"] == 2.0**40 for one in found)
    assert any(one.metadata.get("nonfinite_count") for one in found)


def test_a_process_without_scalers_is_not_searched_for_ever(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[int] = []

    def search() -> list[Any]:
        searches.append(1)
        return []

    monkeypatch.setattr(grad_scale, "_search", search)

    found = train(session, None, steps=10)

    assert len(found) == 30
    assert len(searches) == 3
