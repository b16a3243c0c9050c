"""``wandb.watch``: the same series as W&B's, Quark's summaries, and a model that stays as it is."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import quark.compat.wandb as wandb
from quark.records import (
    HistoryValueRecord,
    LayerSummaryRecord,
    ModelArchitectureRecord,
    ParameterSummaryRecord,
    TrainingLoopRecord,
)
from quark.storage.protocols import Store
from tests.compat.wandb.driver import REAL, SHIM

SCRIPT = """
import json, sys
from importlib import import_module
from pathlib import Path
wandb = import_module(sys.argv[1])
import torch
from torch import nn
torch.manual_seed(0)
torch.set_num_threads(1)
run = wandb.init(project="p")
generator = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))
critic = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
critic[2].bias.requires_grad_(False)
wandb.watch((generator, critic), log="all", log_freq=2)
tail = nn.Linear(2, 2)
wandb.watch(tail, log="gradients", log_freq=3, idx=7)
only = nn.Linear(2, 2)
wandb.watch(only, log="parameters", log_freq=1)
optimizers = [torch.optim.SGD(model.parameters(), 0.1) for model in (generator, critic, tail)]
for step in range(7):
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    fake = generator(torch.randn(6, 3))
    critic(fake).mean().backward()
    tail(torch.randn(4, 2)).square().sum().backward()
    with torch.no_grad():
        only(torch.randn(4, 2))
    for optimizer in optimizers:
        optimizer.step()
    if step == 4:
        wandb.unwatch(generator)
    wandb.log({"loss": step}, commit=False)
    wandb.log({"more": step})
run_id = run.id
wandb.finish()
if hasattr(wandb, "teardown"):
    wandb.teardown()
from tests.compat.wandb.driver import kept
Path("kept.json").write_text(json.dumps(kept(sys.argv[1], run_id)))
"""


def rows_of(package: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "QUARK"))}
    environment |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", SCRIPT, package]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=100)
    return dict(json.loads((folder / "kept.json").read_text()))


@pytest.mark.wandb_parity
def test_the_same_histograms_are_in_the_same_rows(tmp_path: Path) -> None:
    real = rows_of(REAL, tmp_path / "real")
    shim = rows_of(SHIM, tmp_path / "shim")

    assert [sorted(row) for row in shim["history"]] == [sorted(row) for row in real["history"]]
    assert sorted(shim["summary"]) == sorted(real["summary"])
    compared = 0
    for ours, theirs in zip(shim["history"], real["history"], strict=True):
        for key, value in theirs.items():
            if key.endswith(".bins"):
                width = max(map(abs, value))
                assert ours[key] == pytest.approx(value, rel=1e-5, abs=1e-5 * width)
                compared += 1
            elif key.endswith(".values"):
                # An element at an edge may fall to either side: W&B finds bins in float32.
                assert sum(ours[key]) == sum(value)
                assert np.abs(np.cumsum(ours[key]) - np.cumsum(value)).max() <= 1
            else:
                assert ours[key] == value
    assert compared > 50


# -- in this process ---------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    started = wandb.init(project="p")
    yield started
    wandb.finish()


def network() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def train_step(model: nn.Module, *, scale: float = 1.0) -> None:
    (model(torch.randn(5, 3)).square().mean() * scale).backward()


def reading(run: Any) -> Callable[[], Store]:
    return run._session.handle.reading  # type: ignore[no-any-return]


def test_layers_and_parameters_are_summed_up_beside_the_histograms(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quark.compat.wandb.watched_model.SUMMARY_SHARE", 1.0)
    model = network()
    frozen = model[2].bias.requires_grad_(False)
    wandb.watch(model, log="all", log_freq=2)
    values = {}
    for step in range(4):
        model.zero_grad()
        train_step(model)
        values[step] = {n: p.detach().clone() for n, p in model.named_parameters()}
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p is not frozen}
        with torch.no_grad():
            model[0].weight.add_(0.1)
        wandb.log({"loss": step})

    with run._session.reading() as store:
        layers = store.records.read(LayerSummaryRecord, run.id)
        parameters = store.records.read(ParameterSummaryRecord, run.id)

    assert {summary.step for summary in layers} == {1, 3}
    assert [(s.module_name, s.summary_type) for s in layers if s.step == 3] == [
        *(("0", "activation"), ("1", "activation"), ("2", "activation")),
        *(("2", "gradient"), ("1", "gradient"), ("0", "gradient")),
    ]
    assert {summary.step for summary in parameters} == {1, 3}
    for summary in parameters:
        assert summary.step is not None
        expected = values[summary.step][summary.parameter_name].double()
        assert summary.value_norm == pytest.approx(expected.norm().item(), rel=1e-5)
        if summary.step == 3 and summary.parameter_name in gradients:
            gradient = gradients[summary.parameter_name].double()
            assert summary.gradient_norm == pytest.approx(gradient.norm().item(), rel=1e-5)
    assert {s.parameter_name for s in parameters if s.gradient_norm is None} == {"2.bias"}


def test_the_summary_waits_for_what_is_on_its_way(run: Any) -> None:
    model = network()
    wandb.watch(model, log="gradients", log_freq=1)
    train_step(model)
    wandb.log({"loss": 1})

    shown = dict(run.summary["gradients/0.weight"])

    gradient = model[0].weight.grad
    assert gradient is not None
    counts, edges = np.histogram(gradient.double().numpy(), bins=64)
    assert shown["values"] == counts.tolist()
    assert shown["bins"] == pytest.approx(edges.tolist())


def test_large_tensors_are_sampled_and_what_is_not_finite_is_left_out(run: Any) -> None:
    model = nn.Linear(300, 300)
    wandb.watch(model, log="all", log_freq=1)
    model(torch.randn(2, 300)).sum().backward()
    wandb.log({"loss": 1})
    train_step(nn.Linear(3, 1))
    model.zero_grad()
    (model(torch.randn(2, 300)).sum() * float("nan")).backward()
    wandb.log({"loss": 2})
    wandb.finish()

    first, second = wandb.Api().run(run.id).scan_history()

    assert sum(first["parameters/weight"]["values"]) == 4_096
    assert sum(first["parameters/bias"]["values"]) == 300
    assert "gradients/weight" not in second
    assert "parameters/weight" in second


def test_summaries_come_as_often_as_their_share_of_the_time_allows(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quark.compat.wandb.watched_model.FREE_SECONDS", 0.0)
    monkeypatch.setattr("quark.compat.wandb.watched_model.SUMMARY_SHARE", 0.0)
    model = network()
    wandb.watch(model, log="all", log_freq=1)
    for step in range(5):
        train_step(model)
        run._session.handle.settle()  # the background's part of the cost is known
        wandb.log({"loss": step})
    wandb.finish()

    rows = list(wandb.Api().run(run.id).scan_history())
    with run._session.reading() as store:
        layers = store.records.read(LayerSummaryRecord, run.id)
        parameters = store.records.read(ParameterSummaryRecord, run.id)

    assert all("gradients/0.weight" in row for row in rows)  # the histograms always come
    # The first three come whatever they cost: rules hold the last against the first.
    assert {summary.step for summary in layers} == {0, 1, 2}
    assert {summary.step for summary in parameters} == {0, 1, 2}


def test_a_model_that_is_only_evaluated_is_summed_up_within_its_share(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quark.compat.wandb.watched_model.FREE_SECONDS", 0.0)
    monkeypatch.setattr("quark.compat.wandb.watched_model.SUMMARY_SHARE", 0.0)
    model = network()
    wandb.watch(model, log="parameters", log_freq=1)
    for step in range(5):
        with torch.no_grad():
            model(torch.randn(5, 3))
        run._session.handle.settle()
        wandb.log({"loss": step})
    wandb.finish()

    with run._session.reading() as store:
        parameters = store.records.read(ParameterSummaryRecord, run.id)

    assert {summary.step for summary in parameters} == {0}


def test_what_is_logged_long_before_and_after_stays_in_its_row(run: Any) -> None:
    model = network()
    wandb.watch(model, log="all", log_freq=3)
    for step in range(50):
        train_step(model)
        wandb.log({"loss": step})
    wandb.finish()

    rows = list(wandb.Api().run(run.id).scan_history())

    assert [row["loss"] for row in rows] == list(range(50))
    due = [row["_step"] for row in rows if "gradients/0.bias" in row]
    assert due == list(range(2, 50, 3))
    assert [row["_step"] for row in rows if "parameters/0.bias" in row] == due


def test_the_model_copies_and_pickles_as_if_it_were_not_watched(run: Any, tmp_path: Path) -> None:
    model = network()
    inputs = torch.randn(5, 3)
    expected = model(inputs)
    wandb.watch(model, log="all", log_freq=1)
    train_step(model)
    output = model(inputs)  # in the middle of a pass that is due
    twin = copy.deepcopy(model)
    unpickled = pickle.loads(pickle.dumps(model))
    stream = io.BytesIO()
    torch.save(model, stream)
    (tmp_path / "model.pt").write_bytes(stream.getvalue())
    torch.save(expected, tmp_path / "expected.pt")
    torch.save(inputs, tmp_path / "inputs.pt")
    output.sum().backward()

    for copied in (twin, unpickled):
        assert torch.equal(copied(inputs), expected)
        copied(inputs).sum().backward()
        assert list(copied.state_dict()) == list(network().state_dict())
    code = (
        "import sys; sys.modules['quark'] = None; import torch;"
        "model = torch.load('model.pt', weights_only=False);"
        "same = torch.equal(model(torch.load('inputs.pt')), torch.load('expected.pt'));"
        "sys.exit(not same)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0
    with run._session.reading() as store:
        steps = [value.step for value in store.records.read(HistoryValueRecord, run.id)]
    assert set(steps) == {0}  # nothing of the copies


def test_nothing_is_left_after_unwatch_and_finish(run: Any) -> None:
    models = network(), network()
    wandb.watch(models, log="all", log_freq=1)
    train_step(models[0])
    wandb.unwatch(models[0])
    wandb.finish()

    for model in models:
        train_step(model)
        assert not any(module._forward_pre_hooks for module in model.modules())
        assert not any(p._post_accumulate_grad_hooks for p in model.parameters())
    from torch.nn.modules import module

    assert not module._global_forward_hooks


def test_a_compiled_model_is_seen_and_stays_compiled(run: Any) -> None:
    model = network()
    compiled: Any = torch.compile(model, backend="eager", fullgraph=True)
    wandb.watch(model, log="all", log_freq=3)
    for step in range(6):
        compiled(torch.randn(5, 3)).square().mean().backward()
        wandb.log({"loss": step})
    wandb.finish()
    torch._dynamo.reset()

    rows = list(wandb.Api().run(run.id).scan_history())

    assert [row["_step"] for row in rows if "gradients/0.weight" in row] == [2, 5]
    assert [row["_step"] for row in rows if "parameters/0.weight" in row] == [2, 5]


def test_gradients_are_complete_when_several_backward_passes_make_them(run: Any) -> None:
    model = network()
    wandb.watch(model, log="gradients", log_freq=2)
    train_step(model)
    train_step(model)
    complete = model[0].bias.grad
    assert complete is not None
    wandb.log({"loss": 1})

    shown = run.summary["gradients/0.bias"]

    assert shown["bins"][0] == pytest.approx(complete.min().item())
    assert shown["bins"][-1] == pytest.approx(complete.max().item())


def test_the_graph_is_kept_as_a_file_and_as_a_record(run: Any) -> None:
    model = network()
    wandb.watch(model, log=None, log_graph=True)
    train_step(model)
    wandb.log({"loss": 1})

    shown = dict(run.summary["graph_0"])
    content = (Path(run.dir) / shown["path"]).read_bytes()
    graph = json.loads(content)
    with run._session.reading() as store:
        (record,) = store.records.read(ModelArchitectureRecord, run.id)

    assert shown["_type"] == "graph-file"
    assert hashlib.sha256(content).hexdigest() == shown["sha256"]
    assert len(content) == shown["size"]
    assert [node["name"] for node in graph["nodes"]] == ["0", "1", "2"]
    assert graph["nodes"][2]["parameters"] == [["weight", [2, 4]], ["bias", [2]]]
    assert graph["nodes"][2]["num_parameters"] == [8, 2]
    assert graph["nodes"][2]["output_shape"] == [[5, 2]]
    assert len(graph["edges"]) == 2
    assert record.parameter_count == sum(p.numel() for p in model.parameters())
    assert record.model_name == "graph_0"
    assert not any(module._forward_hooks for module in model.modules())


def test_a_graph_without_a_pass_is_the_tree_of_modules(run: Any) -> None:
    wandb.watch(network(), log=None, log_graph=True)
    wandb.unwatch()

    with run._session.reading() as store:
        (record,) = store.records.read(ModelArchitectureRecord, run.id)

    assert [module.module_type for module in record.modules][1:] == ["Linear", "ReLU", "Linear"]
    assert record.nodes == ()
    assert "graph_0" not in run.summary


def test_a_fault_inside_is_counted_and_stops_nothing(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quark.hooks.parameter_samples import ParameterSampler

    def fail(self: Any, kinds: list[str]) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(ParameterSampler, "take", fail)
    model = network()
    wandb.watch(model, log="all", log_freq=1)
    for step in range(3):
        train_step(model)
        wandb.log({"loss": step})

    assert run._session.diagnostics().faults["watching a model failed"] == 3
    assert run.step == 3


def test_the_loops_of_watched_models_are_followed_apart(run: Any) -> None:
    models = network(), network()
    optimizer = torch.optim.SGD(models[0].parameters(), 0.1)
    wandb.watch(models, nn.CrossEntropyLoss(), log_freq=1000)
    for step in range(12):
        optimizer.zero_grad()
        train_step(models[0])
        optimizer.step()
        models[1](torch.randn(5, 3))
        wandb.log({"loss": step})
    wandb.finish()

    with run._session.reading() as store:
        records = store.records.read(TrainingLoopRecord, run.id)

    counts: dict[str, list[int]] = {}
    for record in records:
        kept = counts.setdefault(record.model_name, [0, 0, 0])
        kept[0] += record.forward_count
        kept[1] += record.optimizer_step_count
        kept[2] += record.foreign_step_count
    assert counts == {"Sequential": [12, 12, 0], "Sequential-1": [12, 0, 12]}
    assert {record.metadata["criterion"] for record in records} == {"CrossEntropyLoss"}
    assert {record.step for record in records} >= {0, 10}


def test_a_disabled_run_watches_nothing() -> None:
    run = wandb.init(mode="disabled")
    model = network()
    wandb.watch(model, log="all", log_freq=1)
    train_step(model)
    wandb.log({"loss": 1})

    assert not any(module._forward_pre_hooks for module in model.modules())
    run.finish()
