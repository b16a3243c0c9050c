"""What goes wrong in the user's step or in ours costs a measurement at most, never the training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from quark import HookEngine, HookEngineConfig, TrainingSession
from quark.hooks import eager, engine as engine_module, statistics
from quark.hooks.probe import rows


class Broken(nn.Module):
    """Fails in one of its passes, once."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.act = nn.ReLU()
        self.where = where

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        if self.where == "forward":
            raise ValueError("no forward")
        x = self.act(x)
        if self.where == "backward":
            x.register_hook(self._fail)  # type: ignore[no-untyped-call]
        return x

    def _fail(self, gradient: Tensor) -> None:
        raise ValueError("no backward")


@pytest.mark.parametrize(("where", "kept"), [("forward", 1), ("backward", 2)])
def test_an_exception_in_the_step_passes_and_leaves_no_hook(
    session: TrainingSession, where: str, kept: int
) -> None:
    model, x = Broken(where), torch.randn(2, 2)
    with HookEngine(session, model) as hooks:
        with pytest.raises(ValueError, match=f"no {where}"), hooks.step(0):
            model(x).sum().backward()
        assert not torch_module._global_forward_hooks

        model.where = "nowhere"
        with hooks.step(1):
            model(x).sum().backward()

        assert len(hooks.read(step=0, summary_type="activation")) == kept
        assert len(hooks.read(step=1)) == 4
    assert session.handle.diagnostics().faults == {}


def test_an_exception_through_the_engine_itself_leaves_no_hook(session: TrainingSession) -> None:
    hooks = HookEngine(session, nn.Linear(2, 2))

    def interrupted() -> None:
        with hooks:
            hooks.begin_step(0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert hooks.closed
    assert not torch_module._global_forward_hooks


OUR_FAULTS = {
    "a forward hook failed": (statistics, "moments_on_cpu", 10),
    "a backward hook failed": (statistics, "moments_on_cpu", 10),
    "hooks could not be set": (eager, "instead_of_compiled", 2),
    "layer summaries could not be sent": (statistics.StatisticsBoard, "send", 2),
    "a layer_summary could not be resolved": (engine_module, "rows", 2),
}


def break_it(patch: pytest.MonkeyPatch, cause: str) -> None:
    place, name, _ = OUR_FAULTS[cause]
    working = getattr(place, name)

    def broken(*args: Any) -> Any:
        in_backward = torch._C._current_graph_task_id() != -1
        if name == "moments_on_cpu" and in_backward != ("backward" in cause):
            return working(*args)
        raise ZeroDivisionError("a fault of ours")

    patch.setattr(place, name, broken)


@pytest.mark.parametrize("cause", OUR_FAULTS)
@pytest.mark.parametrize(
    ("strict_mode", "raise_on_error", "raises"),
    [
        pytest.param(False, None, False, id="as-always"),
        pytest.param(True, None, True, id="a-strict-run"),
        pytest.param(False, True, True, id="asked-for"),
        pytest.param(True, False, False, id="turned-off-in-a-strict-run"),
    ],
)
def test_a_fault_of_ours_is_counted_said_once_and_raised_where_that_was_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cause: str,
    strict_mode: bool,
    raise_on_error: bool | None,
    raises: bool,
) -> None:
    model, x = nn.Sequential(*[nn.Linear(2, 2) for _ in range(5)]), torch.randn(3, 2)
    config = HookEngineConfig(raise_on_error=raise_on_error)
    errors: list[str] = []

    def attempt(work: Any) -> None:
        try:
            work()
        except ZeroDivisionError as error:
            errors.append(str(error))

    with TrainingSession.start_run(
        project="p", storage_dir=tmp_path, strict_mode=strict_mode
    ) as session:
        hooks = HookEngine(session, model, config=config)
        with monkeypatch.context() as patch:
            break_it(patch, cause)
            for step in range(2):
                attempt(lambda: train_one(hooks, model, x, step))  # noqa: B023
            attempt(hooks.flush)
            attempt(hooks.flush)
        train_one(hooks, model, x, 2)
        hooks.close()
        found = hooks.read(step=2)
        faults = session.handle.diagnostics().faults

    assert len(found) == 10
    assert bool(errors) == raises
    assert list(faults) == [cause]
    if not raises:
        assert faults[cause] == OUR_FAULTS[cause][2]
        assert capsys.readouterr().err.count("said once") == 1  # and counted in the report
        assert model[0].weight.grad is not None  # the training went on


def train_one(hooks: HookEngine, model: nn.Module, x: Tensor, step: int) -> None:
    with hooks.step(step):
        model(x).sum().backward()


def test_one_summary_that_cannot_be_read_does_not_take_the_others_along(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x = nn.Sequential(nn.Linear(2, 2)), torch.randn(3, 2)
    working = rows
    seen: list[int] = []

    def sometimes(*args: Any) -> Iterator[Any]:
        seen.append(1)
        if len(seen) == 3:
            raise ZeroDivisionError("a fault of ours")
        return working(*args)

    monkeypatch.setattr(engine_module, "rows", sometimes)
    with HookEngine(session, model) as hooks:
        for step in range(6):
            train_one(hooks, model, x, step)
        assert sorted({one.step for one in hooks.read()}) == [0, 1, 3, 4, 5]
    assert session.handle.diagnostics().faults == {"a layer_summary could not be resolved": 1}
