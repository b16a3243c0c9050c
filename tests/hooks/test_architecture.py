"""The architecture of models: counts against plain sums, graphs against what forward passes do."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from quark import SchemaValidationError, TrainingSession, validate_record
from quark.hooks.architecture import describe, log_architecture, read_architectures
from quark.hooks.architecture_graph import GraphRecorder, ModelGraph


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        yield session


class Block(nn.Module):
    """A residual block with a plain function in it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        down: Tensor = self.down(F.relu(self.up(x)))
        return x + down


class Doubled(torch.autograd.Function):
    """Something between modules that torch does not tell functions modes of."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0] * 2


class Nested(nn.Module):
    """Keywords in, dicts of lists out, one module called twice, an autograd function between."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, *, x: Tensor) -> dict[str, list[Tensor]]:
        once = self.layer(x)
        doubled: Tensor = Doubled.apply(once)  # type: ignore[no-untyped-call]
        mixed, _ = self.attention(query=once, key=doubled, value=doubled)
        return {"out": [self.layer(mixed)]}


Edges = list[tuple[str, str]]


def record(model: Any, run: Callable[[], Any]) -> ModelGraph:
    with GraphRecorder(model) as recorder:
        run()
    assert recorder.fault is None
    assert recorder.graph is not None
    return recorder.graph


def named(graph: ModelGraph) -> tuple[list[str], Edges]:
    """Nodes and edges by name, and by number of the call where it is not the first."""
    names = {}
    for node in graph.nodes:
        calls = f"#{node.call_index}" if node.call_index else ""
        kind = f":{node.module_type}" if node.is_function else ""
        names[node.node_id] = f"{node.module_name}{kind}{calls}"
    edges = [(names[edge.source_id], names[edge.target_id]) for edge in graph.edges]
    return list(names.values()), edges


# -- modules and parameters ------------------------------------------------------------------------


def test_counts_are_those_of_plain_sums() -> None:
    model: Any = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), Block(4), nn.Linear(4, 4))
    model[3].weight = model[2].up.weight  # shared
    model[2].down.requires_grad_(False)
    model[0].bfloat16()
    model.append(nn.LazyLinear(7))

    found = describe(model)

    parameters = list(model[:4].parameters())
    assert found["parameter_count"] == sum(p.numel() for p in parameters)
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    assert found["trainable_parameter_count"] == trainable
    assert found["frozen_parameter_count"] == found["parameter_count"] - trainable == 20
    assert found["buffer_count"] == sum(b.numel() for b in model.buffers()) == 17
    assert found["parameter_bytes"] == sum(p.numel() * p.element_size() for p in parameters)
    assert found["buffer_bytes"] == 16 * 4 + 8
    halves = 3 * 8 * 9 + 8
    rest = found["parameter_count"] - halves
    assert found["parameter_counts_by_dtype"] == {"bfloat16": halves, "float32": rest}
    assert found["parameter_counts_by_device"] == {"cpu": found["parameter_count"]}
    assert found["shared_parameters"] == (("2.up.weight", "3.weight"),)
    assert (found["model_type"], found["truncated"]) == ("Sequential", False)

    rows = {module.module_name: module for module in found["modules"]}
    assert list(rows) == [name for name, _ in model.named_modules()]
    for name, module in model[:4].named_modules():
        own = list(module.parameters(recurse=False))
        assert rows[name].own_parameter_count == sum(p.numel() for p in own)
        everything = list(module.parameters())
        assert rows[name].parameter_count == sum(p.numel() for p in everything)
        trainable = sum(p.numel() for p in everything if p.requires_grad)
        assert rows[name].trainable_parameter_count == trainable
        assert rows[name].leaf == (not list(module.children()))
        assert rows[name].module_type == type(module).__name__
    assert [rows[name].depth for name in ("", "2", "2.up")] == [0, 1, 2]
    assert rows["0"].parameter_shapes == {"weight": [8, 3, 3, 3], "bias": [8]}
    assert rows["0"].settings == "3, 8, kernel_size=(3, 3), stride=(1, 1)"
    assert rows["4"].parameter_count == 0


def test_what_is_written_is_what_is_read(session: TrainingSession) -> None:
    class Odd(nn.Module):
        def extra_repr(self) -> str:
            raise RuntimeError("says nothing")

    model = nn.Sequential(nn.Linear(4, 4), Block(4), Odd())
    graph = record(model[:2], lambda: model[:2](torch.ones(1, 4)))

    plain = log_architecture(session, model)
    drawn = log_architecture(session, model[:2], model_name="g", graph=graph, metadata={"a": 1})

    validate_record(plain)
    validate_record(drawn)
    assert read_architectures(session) == (plain, drawn)
    assert read_architectures(session, model_name="g") == (drawn,)
    assert read_architectures(session, limit=1) == (drawn,)
    assert (plain.nodes, plain.edges, plain.modules[-1].settings) == ((), (), "")
    assert (drawn.nodes, drawn.edges, drawn.metadata) == (graph.nodes, graph.edges, {"a": 1})


def test_a_context_of_an_ended_run_will_do(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        context = session.context

    written = log_architecture(context, nn.Linear(1, 1))

    assert read_architectures(context) == (written,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model",), r"torch\.nn\.Module"),
        ((nn.Identity(), {"model_name": ""}), "model_name ''"),
        ((nn.Identity(), {"metadata": 3}), "mapping"),
    ],
)
def test_what_breaks_a_rule_is_refused(
    session: TrainingSession, arguments: Any, message: str
) -> None:
    with pytest.raises(SchemaValidationError, match=message):
        log_architecture(session, arguments[0], **dict(*arguments[1:]))


# -- the graph -------------------------------------------------------------------------------------


@pytest.mark.parametrize("grad_enabled", [True, False])
def test_functions_lead_from_module_to_module_and_join_where_they_meet(grad_enabled: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 4), Block(4), Block(4), nn.Linear(4, 2))

    with torch.set_grad_enabled(grad_enabled):
        graph = record(model, lambda: model(torch.ones(5, 3)))

    nodes, edges = named(graph)
    assert nodes == ["0", "1.up", "1.down", "1:add", "2.up", "2.down", "2:add", "3"]
    assert edges == [
        ("0", "1.up"),
        ("1.up", "1.down"),
        ("0", "1:add"),
        ("1.down", "1:add"),
        ("1:add", "2.up"),
        ("2.up", "2.down"),
        ("1:add", "2:add"),
        ("2.down", "2:add"),
        ("2:add", "3"),
    ]
    assert [node.output_shapes for node in graph.nodes] == [((5, 4),)] * 7 + [((5, 2),)]
    assert graph.nodes[0].parameter_shapes == {"weight": [4, 3], "bias": [4]}
    assert [node.parameter_count for node in graph.nodes] == [16, 20, 20, 0, 20, 20, 0, 10]
    assert not graph.truncated


def test_keywords_nested_outputs_repeated_calls_and_foreign_functions_are_followed() -> None:
    model = Nested()

    nodes, edges = named(record(model, lambda: model(x=torch.ones(1, 2, 4))))

    # Attention calls no module, so it is one node; what leads there is found by autograd too.
    assert nodes == ["layer", "attention", "layer#1"]
    assert edges == [("layer", "attention"), ("attention", "layer#1")]


def test_a_model_that_is_one_module_and_one_behind_compile_have_graphs() -> None:
    alone = nn.LSTM(4, 8)
    model = nn.Sequential(nn.Linear(4, 4), Block(4))
    compiled = torch.compile(model, backend="eager")
    compiled(torch.ones(1, 4))

    graph = record(alone, lambda: alone(torch.ones(3, 2, 4)))
    assert [(n.module_name, n.module_type, n.output_shapes) for n in graph.nodes] == [
        ("", "LSTM", ((3, 2, 8), (1, 2, 8), (1, 2, 8)))
    ]
    nodes, _ = named(record(compiled, lambda: compiled(torch.ones(1, 4))))
    assert nodes == ["0", "1.up", "1.down", "1:add"]


def test_parts_that_are_called_without_the_model_are_recorded_until_the_end() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))

    def training_step() -> None:
        first = model[0](torch.ones(1, 4))
        model[2](torch.relu(first) + model[1](first))

    nodes, edges = named(record(model, training_step))

    assert nodes == ["0", "1", "2"]
    assert edges == [("0", "1"), ("0", "2"), ("1", "2")]


def test_one_pass_is_recorded_and_nothing_stays_behind() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    recorder = GraphRecorder(model)
    recorder.begin()
    recorder.begin()
    assert recorder.graph is None
    seen: list[weakref.ref[Tensor]] = []
    watch = model[0].register_forward_hook(lambda _, args, out: seen.append(weakref.ref(out)))
    with torch.no_grad():
        model(torch.ones(1, 2))
    watch.remove()
    first = recorder.graph
    model(torch.ones(1, 2))
    gc.collect()

    assert first is not None
    assert len(first.nodes) == 2
    assert recorder.graph is recorder.end() is first
    assert [reference() for reference in seen] == [None]
    assert torch._C._len_torch_function_stack() == 0
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._forward_hooks_with_kwargs
        assert not module._forward_hooks_always_called


def test_a_pass_that_fails_leaves_nothing_behind() -> None:
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 3))

        def forward(self, x: Tensor) -> Any:
            return self.inner(x)

    model = Failing()
    recorder = GraphRecorder(model)
    recorder.begin()

    with pytest.raises(RuntimeError):
        model(torch.ones(1, 2))

    assert recorder.graph is not None
    assert "inner.0" in named(recorder.graph)[0]
    assert torch._C._len_torch_function_stack() == 0
    assert not any(module._forward_hooks for module in model.modules())


def test_our_own_fault_stops_the_recording_and_not_the_pass(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, tensor: Tensor, node_id: int) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(GraphRecorder, "_know", broken)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    recorder = GraphRecorder(model)

    with recorder:
        out = model(torch.ones(1, 2))
    written = log_architecture(session, model, graph=recorder)

    assert out.shape == (1, 2)
    assert isinstance(recorder.fault, ZeroDivisionError)
    assert written.truncated
    counts = session.handle.faults.counts()
    assert counts == {"the graph of a model could not be recorded": 1}


def test_a_graph_has_no_more_nodes_than_its_bound() -> None:
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(10)])
    recorder = GraphRecorder(model, max_nodes=4)

    with recorder:
        model(torch.ones(1, 2))

    assert recorder.graph is not None
    assert len(recorder.graph.nodes) == 4
    assert len(recorder.graph.edges) == 3
    assert recorder.graph.truncated


def test_what_was_never_called_has_no_graph() -> None:
    recorder = GraphRecorder(nn.Linear(1, 1))

    assert recorder.end() is None
    with recorder:
        pass
    assert recorder.graph is None
