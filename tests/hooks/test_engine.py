"""HookEngine records what a plain pass over all outputs and gradients finds, when asked to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from quark import (
    HookEngine,
    HookEngineConfig,
    HookScheduleConfig,
    LayerFilterConfig,
    TrainingSession,
)
from quark.errors import SchemaValidationError, WriterClosedError
from quark.records import LayerSummaryRecord
from quark.schema import validate_record
from tests.hooks.plainly import DEVICES, ByHand, check_summaries, place_of


class Twice(nn.Module):
    """Calls a layer twice, and another never."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.Tanh()
        self.unused = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.act(self.fc(self.act(self.fc(x)))))
        return result


def train(model: nn.Module, x: Tensor) -> None:
    model(x).pow(2).mean().backward()


def read_steps(hooks: HookEngine) -> list[int]:
    return sorted({summary.step for summary in hooks.read()})


@pytest.mark.parametrize("device", DEVICES)
def test_every_output_and_gradient_of_a_probed_step_has_its_summary(
    session: TrainingSession, device: str
) -> None:
    model, x = Twice().to(device), torch.randn(8, 4, device=device)
    with ByHand(model) as by_hand:
        train(model, x)

    with HookEngine(session, model, config=HookEngineConfig(dead_unit_epsilon=0.0)) as hooks:
        with hooks.step(3, epoch=1) as probed:
            train(model, x)
        found = hooks.read()

    assert probed
    assert hooks.instrumented_module_names == ()  # it let go of the model
    check_summaries(found, by_hand.tensors)
    assert {(one.step, one.epoch) for one in found} == {(3, 1)}
    assert {one.module_type for one in found if one.module_name == "act"} == {"Tanh"}
    assert {one.saturation_ratio is None for one in found if one.module_name == "act"} == {
        True,  # of gradients
        False,
    }
    for summary in found:
        validate_record(summary)


def test_filters_and_directions_are_kept_to(session: TrainingSession) -> None:
    model, x = Twice(), torch.randn(8, 4)
    linear = LayerFilterConfig(include_types=("Linear",))
    forward = HookEngineConfig(filters=linear, capture_backward=False)
    backward = HookEngineConfig(capture_forward=False, saturation_threshold=None)

    with (
        HookEngine(session, model, config=forward) as one,
        HookEngine(session, model, config=backward) as other,
    ):
        assert one.instrumented_module_names == ("fc", "unused", "head")
        with one.step(0):
            train(model, x)
        with other.step(1):
            train(model, x)
        found = [place_of(summary) for summary in one.read()]

    assert found[:3] == [("fc", "activation", n, "") for n in (0, 1)] + [
        ("head", "activation", 0, "")
    ]
    assert {place[1] for place in found[3:]} == {"gradient"}
    assert len(found[3:]) == 5


def test_the_schedule_decides_and_steps_in_between_cost_no_hook(session: TrainingSession) -> None:
    schedule = HookScheduleConfig(every_n_steps=4, start_step=2, stop_step=9, explicit_steps=(3,))
    model, x = Twice(), torch.randn(2, 4)
    with HookEngine(session, model, config=HookEngineConfig(schedule=schedule)) as hooks:
        for step in range(14):
            with hooks.step(step) as probed:
                train(model, x)
                attached = len(torch_module._global_forward_hooks)
            assert probed == hooks.should_probe(step) == (step in (2, 3, 6))
            assert attached == int(probed)
        assert read_steps(hooks) == [2, 3, 6]
        assert all(not module._forward_hooks for module in model.modules())


def test_begin_and_end_do_what_the_context_does(session: TrainingSession) -> None:
    model, x = Twice(), torch.randn(2, 4)
    with HookEngine(session, model) as hooks:
        assert hooks.begin_step(0, epoch=0)
        train(model, x)
        assert hooks.begin_step(1)  # the open one ends
        model(x).sum()
        hooks.end_step()
        hooks.end_step()
        train(model, x)  # between steps nobody looks
        found = hooks.read()

    assert [one.step for one in found] == [0] * 10 + [1] * 5
    assert [one.epoch for one in found] == [0] * 10 + [None] * 5


def test_each_filter_of_read_selects_what_a_plain_loop_selects(session: TrainingSession) -> None:
    model, x = Twice(), torch.randn(2, 4)
    with HookEngine(session, model) as hooks:
        for step in range(6):
            with hooks.step(step, epoch=step // 2):
                train(model, x)
        everything = hooks.read()
        cases: list[tuple[dict[str, Any], Any]] = [
            ({"module_name": "fc"}, lambda r: r.module_name == "fc"),
            ({"module_type": "Tanh"}, lambda r: r.module_type == "Tanh"),
            ({"summary_type": "gradient"}, lambda r: r.summary_type == "gradient"),
            ({"hook_direction": "forward"}, lambda r: r.hook_direction == "forward"),
            ({"step": 4}, lambda r: r.step == 4),
            ({"step_min": 2, "step_max": 3}, lambda r: r.step in (2, 3)),
            ({"epoch": 1}, lambda r: r.epoch == 1),
            ({"epoch_min": 1, "epoch_max": 2}, lambda r: r.epoch in (1, 2)),
            (
                {"module_name": "fc", "summary_type": "activation", "epoch_max": 1},
                lambda r: (r.module_name, r.summary_type) == ("fc", "activation") and r.epoch <= 1,
            ),
            ({"module_name": "unused"}, lambda r: False),
        ]
        for filters, fits in cases:
            expected = tuple(record for record in everything if fits(record))
            assert hooks.read(**filters) == expected, filters
            assert hooks.read(**filters, limit=3) == expected[-3:], filters
        with pytest.raises(SchemaValidationError, match="step_min 5 is above"):
            hooks.read(step_min=5, step_max=4)
    assert len(everything) == 60
    assert hooks.read() == everything  # also when it is closed


def test_flush_returns_the_records_as_they_are_read(session: TrainingSession) -> None:
    model, x = Twice(), torch.randn(2, 4)
    large, small = HookEngineConfig(batch_size=1000), HookEngineConfig(batch_size=10)
    with (
        HookEngine(session, model, config=large) as hooks,
        HookEngine(session, model, config=small) as other,
    ):
        for step in range(3):
            with hooks.step(step):
                train(model, x)
        flushed = hooks.flush()
        assert flushed == hooks.read()
        assert hooks.flush() == ()
        with other.step(3):
            train(model, x)
        assert other.flush() == ()  # ten records are a batch


def test_evaluation_without_gradients_is_marked(session: TrainingSession) -> None:
    model, x = Twice(), torch.randn(2, 4)
    with HookEngine(session, model) as hooks, hooks.step(0):
        train(model, x)
        with torch.no_grad():
            model(x)
        with torch.inference_mode():
            model(x)
    marks: dict[int, set[Any]] = {}
    for one in hooks.read(module_name="head", summary_type="activation"):
        marks.setdefault(one.call_index, set()).add(one.metadata.get("grad_enabled"))

    assert marks == {0: {None}, 1: {False}, 2: {False}}


def test_gradients_that_come_after_the_step_are_taken_until_the_next_one(
    session: TrainingSession,
) -> None:
    model, x = Twice(), torch.randn(2, 4)
    with HookEngine(session, model) as hooks:
        with hooks.step(0):
            loss = model(x).sum()
        loss.backward(retain_graph=True)
        assert len(hooks.read(summary_type="gradient")) == 5
        with hooks.step(1):
            train(model, x)
        loss.backward(retain_graph=True)  # the step is long over
        assert len(hooks.read(summary_type="gradient", step=0)) == 5
        loss_1 = model(x).sum()
        with hooks.step(2):
            half = model(x).sum()
            half.backward(retain_graph=True)
        half.backward(retain_graph=True)
        assert len(hooks.read(summary_type="gradient", step=2)) == 10
    loss_1.backward()
    half.backward()
    assert len(hooks.read(step=2)) == 5 + 10


def test_accumulated_gradients_of_one_step_are_told_apart(session: TrainingSession) -> None:
    model = nn.Sequential(nn.Linear(4, 1))
    parts = [torch.full((2, 4), float(n)) for n in (1, 2, 3)]
    with HookEngine(session, model) as hooks, hooks.step(0):
        for part in parts:
            (model(part).sum() * part[0, 0]).backward()

    gradients = hooks.read(summary_type="gradient")
    assert [(one.call_index, one.mean) for one in gradients] == [(0, 1.0), (1, 2.0), (2, 3.0)]


def test_two_models_at_once_do_not_mix(session: TrainingSession, tmp_path: Path) -> None:
    generator, critic = nn.Sequential(nn.Linear(2, 4)), nn.Sequential(nn.Linear(4, 1))
    noise = torch.randn(3, 2)
    with (
        TrainingSession.start_run(project="p", storage_dir=tmp_path) as other_run,
        HookEngine(session, generator) as of_generator,
        HookEngine(other_run, critic) as of_critic,
        of_generator.step(0),
        of_critic.step(5),
    ):
        critic(generator(noise)).mean().backward()

    shapes = [
        {(one.step, one.tensor_shape) for one in hooks.read()}
        for hooks in (of_generator, of_critic)
    ]
    assert shapes == [{(0, (3, 4))}, {(5, (3, 1))}]


def test_frozen_and_sparse_parts_are_no_trouble(session: TrainingSession) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(10, 4, sparse=True)
            self.frozen = nn.Linear(4, 4).requires_grad_(False)
            self.stem = nn.Linear(4, 4).requires_grad_(False)

        def forward(self, index: Tensor) -> Tensor:
            stem: Tensor = self.stem(torch.ones(3, 4))
            result: Tensor = self.frozen(self.table(index)) + stem
            return result

    model = Net()
    with HookEngine(session, model) as hooks, hooks.step(0):
        train(model, torch.tensor([1, 2, 1]))

    assert model.table.weight.grad is not None
    assert model.table.weight.grad.is_sparse
    assert sorted(place_of(one)[:2] for one in hooks.read()) == [
        ("frozen", "activation"),
        ("frozen", "gradient"),
        ("stem", "activation"),
        ("table", "activation"),
        ("table", "gradient"),
    ]


def test_what_is_not_finite_is_counted_and_spoils_nothing_else(session: TrainingSession) -> None:
    model = nn.Sequential(nn.Identity())
    x = torch.tensor([1.0, float("nan"), 3.0, float("inf")])
    with HookEngine(session, model) as hooks, hooks.step(0):
        model(x)
        model(x * float("nan"))

    some, none = hooks.read()
    assert some.metadata["nonfinite_count"] == 2
    assert (some.mean, some.std, some.dead_unit_ratio) == (2.0, 1.0, 0.0)
    assert none.metadata["nonfinite_count"] == none.element_count == 4
    assert (none.mean, none.std, none.norm, none.dead_unit_ratio) == (None, None, None, None)


def test_a_huge_gradient_is_read_back_as_what_it_is(session: TrainingSession) -> None:
    model = nn.Sequential(nn.Identity())
    with HookEngine(session, model) as hooks, hooks.step(0):
        model(torch.full((4,), 1e30))
        model(torch.full((4,), 1e200, dtype=torch.float64))

    single, double = hooks.read()
    assert single.norm == pytest.approx(2e30)
    assert double.norm == float("inf")
    assert double.metadata == {"dtype": "float64"}
    for one in (single, double):
        validate_record(one)


def test_wrong_arguments_are_refused_and_a_closed_engine_says_so(session: TrainingSession) -> None:
    with pytest.raises(SchemaValidationError, match=r"list, but needs a torch\.nn\.Module"):
        HookEngine(session, [nn.Linear(1, 1)])
    hooks = HookEngine(session, nn.Linear(1, 1))
    wrong: tuple[Any, ...] = (-1, 1.5, True, "1")
    for step in wrong:
        with pytest.raises(SchemaValidationError, match="step"):
            hooks.begin_step(step)
    with pytest.raises(SchemaValidationError, match="epoch"):
        hooks.begin_step(1, epoch=-1)
    hooks.begin_step(0)
    hooks.close()
    hooks.close()
    assert not torch_module._global_forward_hooks
    with pytest.raises(WriterClosedError, match="HookEngine's writer is closed"):
        hooks.begin_step(1)


def test_a_run_that_ends_with_a_step_open_keeps_what_was_sent_and_counts_the_rest(
    tmp_path: Path,
) -> None:
    model, x = Twice(), torch.randn(2, 4)
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        hooks = HookEngine(session, model)
        for step in range(50):
            with hooks.step(step):
                train(model, x)
        hooks.begin_step(50)
        train(model, x)

    hooks.end_step()
    with pytest.raises(WriterClosedError, match="run has ended"):
        hooks.begin_step(51)
    hooks.close()

    assert read_steps(hooks) == list(range(50))
    assert session.handle.diagnostics().dropped == {"layer_summary: closed": 10}
    assert isinstance(hooks.read(limit=1)[0], LayerSummaryRecord)
