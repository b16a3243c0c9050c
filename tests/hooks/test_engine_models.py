"""HookEngine follows models of all sorts, and leaves them as they were."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from quark import HookEngine, HookEngineConfig, LayerFilterConfig, TrainingSession
from quark.records import LayerSummaryRecord
from tests.hooks.plainly import ByHand, Place, check_summaries, place_of


def watched(
    session: TrainingSession, model: nn.Module, step: Callable[[], None]
) -> tuple[LayerSummaryRecord, ...]:
    """The summaries of ``step()``."""
    with HookEngine(session, model) as hooks:
        with hooks.step(0):
            step()
        found: tuple[LayerSummaryRecord, ...] = hooks.read()
    return found


class Compressed(OrderedDict[str, Any]):
    """An output as some libraries make them: a dict and more."""


@dataclass
class Bundle:
    logits: Tensor
    hidden: tuple[Tensor, ...]
    past: Tensor | None = None
    loss: float = 0.5


class Many(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Any:
        if self.kind == "tuple":
            return x + 1, [x * 2, None, (x * 3,)]
        if self.kind == "dict":
            return {"a": x + 1, 7: {"b": x * 2}, "text": "no tensor", "count": torch.ones(2).int()}
        if self.kind == "mapping":
            return Compressed(logits=x + 1, hidden=(x * 2, x * 3))
        return Bundle(x + 1, (x * 2, x * 3))


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("tuple", ["0", "1.0", "1.2.0"]),
        ("dict", ["a", "7.b"]),
        ("mapping", ["logits", "hidden.0", "hidden.1"]),
        ("dataclass", ["logits", "hidden.0", "hidden.1"]),
    ],
)
def test_every_tensor_of_a_nested_output_has_its_way_there(
    session: TrainingSession, kind: str, paths: list[str]
) -> None:
    model, x = nn.Sequential(Many(kind)), torch.randn(3, 2, requires_grad=True)

    def step() -> None:
        sum(tensors_of(model(x))).backward()  # type: ignore[union-attr]

    found = watched(session, model, step)

    assert [one.metadata["output"] for one in found if one.summary_type == "activation"] == paths
    gradients = {
        one.metadata["output"]: one.mean for one in found if one.hook_direction == "backward"
    }
    assert gradients == dict.fromkeys(paths, 1.0)
    assert x._backward_hooks is None


def tensors_of(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output.sum()
    elif isinstance(output, dict):
        yield from (found for item in output.values() for found in tensors_of(item))
    elif isinstance(output, (list, tuple)):
        yield from (found for item in output for found in tensors_of(item))
    elif isinstance(output, Bundle):
        yield from tensors_of((output.logits, output.hidden))


def recurrent() -> tuple[nn.Module, Tensor]:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 3, num_layers=2, batch_first=True)
            self.head = nn.Linear(3, 1)

        def forward(self, x: Tensor) -> Tensor:
            out, (h, _) = self.lstm(x)
            result: Tensor = self.head(out[:, -1] + h[-1])
            return result

    return Recurrent(), torch.randn(2, 5, 4)


def transformer() -> tuple[nn.Module, Tensor]:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Linear(8, 1)), torch.randn(2, 5, 8)


def convolutional() -> tuple[nn.Module, Tensor]:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.Hardtanh(-1.0, 1.0),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.0),
        nn.LazyLinear(2),
    )
    x = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    model(x)
    return model.to(memory_format=torch.channels_last), x  # type: ignore[call-overload]


@pytest.mark.parametrize("make", [recurrent, transformer, convolutional])
def test_real_architectures_are_summed_up_as_their_own_hooks_would(
    session: TrainingSession, make: Any
) -> None:
    model, x = make()

    def train() -> None:
        model(x).pow(2).mean().backward()

    with ByHand(model) as by_hand:
        train()

    check_summaries(watched(session, model, train), by_hand.tensors)


def test_activations_in_place_change_neither_training_nor_summaries(
    session: TrainingSession,
) -> None:
    def make(inplace: bool) -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Linear(4, 8), nn.ReLU(inplace), nn.Linear(8, 8), nn.LeakyReLU(0.1, inplace)
        )

    plain, in_place, x = make(False), make(True), torch.randn(6, 4)
    with ByHand(plain) as by_hand:
        plain(x).pow(2).sum().backward()

    found = watched(session, in_place, lambda: in_place(x).pow(2).sum().backward())

    check_summaries(found, by_hand.tensors)
    for one, other in zip(plain.parameters(), in_place.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)  # type: ignore[arg-type]


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool | None) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Identity(), nn.Linear(4, 4), nn.Tanh()) for _ in range(2)
        )
        self.shared = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            part = nn.Sequential(block, self.shared)
            if self.reentrant is None:
                x = part(x)
            else:
                x = checkpoint(part, x, use_reentrant=self.reentrant)
        return x


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_parts_are_counted_once_and_have_their_gradients(
    session: TrainingSession, reentrant: bool
) -> None:
    model, plain = Checkpointed(reentrant), Checkpointed(None)
    plain.load_state_dict(model.state_dict())
    x = torch.randn(3, 4, requires_grad=True)
    with ByHand(plain) as by_hand:
        plain(x.detach().requires_grad_()).pow(2).sum().backward()

    found = watched(session, model, lambda: model(x).pow(2).sum().backward())

    check_summaries(found, by_hand.tensors)
    assert not any("grad_enabled" in one.metadata for one in found)
    assert not x._backward_hooks


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # by jvp
def test_function_transforms_inside_a_step_are_let_through(session: TrainingSession) -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), torch.randn(3, 4)
    parameters: dict[str, Tensor] = dict(model.named_parameters())

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        total: Tensor = torch.func.functional_call(model, parameters, (x,)).pow(2).sum()
        return total

    def step() -> tuple[Any, ...]:
        return (
            torch.func.grad(loss)(parameters, x),
            torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x),
            torch.func.vmap(model)(x),
            torch.func.jvp(model, (x,), (torch.ones_like(x),)),
            torch.func.jacrev(model)(x),
        )

    expected = step()
    with HookEngine(session, model, config=HookEngineConfig(raise_on_error=True)) as hooks:
        with hooks.step(0):
            actual = step()
            model(x).sum().backward()
        found = hooks.read()

    torch.testing.assert_close(actual, expected)
    assert [place_of(one)[:2] for one in found][-4:] == [
        ("0", "activation"),
        ("1", "activation"),
        ("1", "gradient"),
        ("0", "gradient"),
    ]


def replica_of(module: Any) -> nn.Module:
    """As DataParallel makes them on devices."""
    replica: nn.Module = module._replicate_for_data_parallel()
    return replica


def test_replicas_of_data_parallel_training_count_as_the_module(session: TrainingSession) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    parts = [torch.randn(3, 4) for _ in range(4)]
    outputs: dict[int, Tensor] = {}

    def replicate() -> nn.Module:
        replica = replica_of(model)
        for name, module in model.named_children():
            part = replica_of(module)
            for key, parameter in module._parameters.items():
                setattr(part, key, parameter)
            replica._modules[name] = part
        return replica

    def step() -> None:
        def run(n: int, replica: nn.Module) -> None:
            outputs[n] = replica(parts[n])

        threads = [threading.Thread(target=run, args=(n, replicate())) for n in range(len(parts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        loss: Any = torch.cat([outputs[n] for n in range(len(parts))]).sum()
        loss.backward()

    found = watched(session, model, step)

    kinds = ("activation", "gradient")
    expected = {(name, kind, n, "") for name in "012" for kind in kinds for n in range(4)}
    assert {place_of(one) for one in found} == expected
    assert len(found) == len(expected)
    last = sorted(one.mean or 0.0 for one in found if place_of(one)[:2] == ("2", "activation"))
    assert last == pytest.approx(sorted(one.mean().item() for one in outputs.values()), abs=1e-6)


class Jagged(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nested.as_nested_tensor([x[:1], x[1:]], layout=torch.jagged)


class Strided(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nested.as_nested_tensor([x[:1], x[1:]])


class Complex(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.complex(x, x)


class Whole(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.argmax(-1)


def test_unusual_outputs_are_summed_up_or_left_out(session: TrainingSession) -> None:
    model = nn.ModuleDict(
        {"jagged": Jagged(), "strided": Strided(), "complex": Complex(), "whole": Whole()}
    )
    x = torch.ones(3, 2, requires_grad=True)
    with (
        warnings.catch_warnings(),
        HookEngine(session, model, config=HookEngineConfig(raise_on_error=True)) as hooks,
    ):
        warnings.simplefilter("ignore")
        with hooks.step(0):
            for module in model.values():
                module(x)

    found = hooks.read()
    assert [(one.module_name, one.element_count, one.tensor_shape) for one in found] == [
        ("jagged", 6, None),
        ("strided", 6, None),
    ]


def test_a_parameter_or_input_that_a_layer_puts_out_keeps_no_hook(session: TrainingSession) -> None:
    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self) -> Tensor:
            return self.weight

    model = Same()
    with HookEngine(session, model) as hooks:
        for step in range(3):
            with hooks.step(step):
                model().sum().backward()
        assert len(model.weight._backward_hooks or ()) == 1  # of the last step, for late gradients
        hooks.flush()

    assert not model.weight._backward_hooks
    assert [one.summary_type for one in hooks.read()] == ["activation", "gradient"] * 3


class Layers(nn.Sequential):
    """A model of one's own: torch's classes alone are not compiled in place."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return x


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # looked at by the compiler
@pytest.mark.parametrize("what", ["the-model", "its-original", "a-part", "in-place"])
def test_compiled_models_are_seen_and_stay_compiled_between_probed_steps(
    session: TrainingSession, what: str
) -> None:
    from torch._dynamo.testing import CompileCounter

    torch._dynamo.reset()
    counter = CompileCounter()
    original = Layers(nn.Linear(4, 4), Layers(nn.ReLU(), nn.Linear(4, 1)))
    names = ["0", "1.0", "1.1"]
    model: Any = original
    if what == "a-part":
        part: Any = torch.compile(original[1], backend=counter)
        original[1] = part
    elif what == "in-place":
        original.compile(backend=counter)
    else:
        model = torch.compile(original, backend=counter)
    x = torch.randn(3, 4)
    seen = original if what == "its-original" else model
    calls: list[int] = []

    with HookEngine(session, seen) as hooks:
        assert list(hooks.instrumented_module_names) == names
        for step in range(6):
            hooks.begin_step(step) if step in (0, 3, 4) else hooks.end_step()
            before = counter.frame_count
            model(x).sum().backward()
            calls.append(counter.frame_count - before)
            hooks.end_step()
        found = hooks.read()

    assert calls == [0, 1, 0, 0, 0, 0]
    assert [one.module_name for one in found if one.step == 3] == [*names, *reversed(names)]
    assert {one.step for one in found} == {0, 3, 4}
    torch._dynamo.reset()


def test_engines_that_end_their_steps_in_any_order_leave_compiled_models_compiled(
    session: TrainingSession,
) -> None:
    from torch._dynamo.testing import CompileCounter

    torch._dynamo.reset()
    counter = CompileCounter()
    layers = [nn.Linear(2, 2), nn.Tanh()]
    models: list[Any] = [torch.compile(layer, backend=counter) for layer in layers]
    x = torch.randn(3, 2)
    with HookEngine(session, models[0]) as one, HookEngine(session, models[1]) as other:
        one.begin_step(0)
        other.begin_step(0)
        one.end_step()
        for model in models:
            model(x)
        assert counter.frame_count == 0
        assert len(other.read()) == 0
        other.end_step()
        for model in models:
            model(x)

        assert counter.frame_count == 2
        assert len(other.read()) == 1
    torch._dynamo.reset()


LOADER = """
import sys
sys.modules["quark"] = None  # cannot be imported
import io, pickle, torch
data = sys.stdin.buffer.read()
for model in pickle.loads(data):
    assert not isinstance(model, bytes)
    out = model(torch.ones(2, 4)).sum()
    out.backward()
print("loaded")
"""


def test_a_watched_model_copies_and_pickles_as_before(session: TrainingSession) -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)), torch.randn(2, 4)
    plain = pickle.dumps(model)
    with HookEngine(session, model) as hooks, hooks.step(0):
        out = model(x)
        pickled, copied = pickle.dumps(model), copy.deepcopy(model)
        saved = io.BytesIO()
        torch.save(model, saved)
        out.sum().backward()
        copied(x).sum().backward()

    assert pickled == plain
    assert len(hooks.read()) == 4  # the copy is another model
    saved.seek(0)
    loaded = torch.load(saved, weights_only=False)
    done = subprocess.run(
        [sys.executable, "-c", LOADER],
        input=pickle.dumps([pickle.loads(pickled), copied, loaded]),
        capture_output=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (b"loaded\n", b"")


def test_a_layer_that_was_replaced_is_not_taken_for_another(session: TrainingSession) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with HookEngine(session, model) as hooks, hooks.step(0):
        model[0] = nn.Identity()
        strangers = [nn.Linear(2, 2) for _ in range(200)]  # where the old layer's memory was
        for stranger in strangers:
            stranger(torch.ones(1, 2))
        model(torch.ones(1, 2))

    assert [one.module_name for one in hooks.read()] == ["1"]


def test_a_double_backward_is_measured_in_both_passes(session: TrainingSession) -> None:
    model, x = nn.Sequential(nn.Linear(4, 1), nn.Tanh()), torch.randn(5, 4, requires_grad=True)

    def step() -> None:
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        (slope.norm() - 1).pow(2).backward()

    found = watched(session, model, step)

    counts: dict[Place, int] = {}
    for one in found:
        counts[place_of(one)] = counts.get(place_of(one), 0) + 1
    assert counts["0", "gradient", 0, ""] == 2
    assert counts["0", "activation", 0, ""] == 1


def test_containers_are_measured_when_they_are_asked_for(session: TrainingSession) -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 1))
    filters = LayerFilterConfig(leaf_modules_only=False, include_types=("Sequential",))
    with HookEngine(session, model, config=HookEngineConfig(filters=filters)) as hooks:
        assert hooks.instrumented_module_names == ("", "0")
        with hooks.step(0):
            model(torch.ones(3, 2)).sum().backward()

    assert [place_of(one)[:2] for one in hooks.read()] == [
        ("0", "activation"),
        ("", "activation"),
        ("", "gradient"),
        ("0", "gradient"),
    ]
    assert len(hooks.read(module_name="")) == 2


def test_imports_stay_light(python: str, tmp_path: Path) -> None:
    script = "import sys, quark; quark.HookEngine; print('torch' in sys.modules)"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr
