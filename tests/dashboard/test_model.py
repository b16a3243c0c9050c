"""The tree of a model: as it was recorded, or put together from what was watched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from quark import TrainingSession
from quark.hooks.architecture import log_architecture
from quark.records import AlertRecord, EvidenceRecord, ParameterSummaryRecord
from quark.storage.embedded import EmbeddedStore
from tests.dashboard.asking import ask


def model_of(folder: Path, run_id: str, **query: Any) -> dict[str, Any]:
    store = EmbeddedStore(folder / ".quark")
    found = ask(store, "/runs/{run_id}/model", {"run_id": run_id}, **query)
    store.close()
    return found


def test_a_recorded_model_has_its_counts_shared_weights_and_alerts(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(10, 4)
            self.inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
            self.head = nn.Linear(4, 10, bias=False)
            self.head.weight = self.embed.weight

    model = Tied()
    for parameter in model.inner.parameters():
        parameter.requires_grad = False
    with TrainingSession.start_run(project="model", storage_dir=tmp_path) as session:
        log_architecture(session, model, model_name="first")
        log_architecture(session, nn.Linear(2, 1), model_name="second")
        session.handle.emit(
            AlertRecord,
            rule_id="stagnant_layers",
            category="optimization",
            severity="warning",
            title="",
            summary="",
            fact="",
            inference="",
            evidence=(EvidenceRecord(kind="finding", source="inner.0.weight", summary=""),),
        )

    found = model_of(tmp_path, session.run_id)
    second = model_of(tmp_path, session.run_id, name="second")

    modules = {one["name"]: one for one in found["modules"]}
    assert found["models"] == ["first", "second"]
    assert list(modules) == [name for name, _ in model.named_modules()]
    assert found["shared"] == [["embed.weight", "head.weight"]]
    assert found["parameter_count"] == sum(one.numel() for one in model.parameters())
    assert (modules["inner"]["count"], modules["inner"]["trainable"]) == (20, 0)
    assert modules["inner.0"]["shapes"] == {"weight": [4, 4], "bias": [4]}
    assert modules["inner.0"]["alert"] == "warning"
    assert "alert" not in modules["embed"]
    assert (second["name"], second["parameter_count"]) == ("second", 3)


def test_without_a_record_the_tree_is_made_of_watched_names(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    names = {name: type(module).__name__ for name, module in model.named_modules()}
    odd = {".x.w": ".x", "a..b.w": "a..b", "<img src=x>.w": "<img src=x>"}
    with TrainingSession.start_run(project="watched", storage_dir=tmp_path) as session:
        given = {name: name.rpartition(".")[0] for name, _ in model.named_parameters()}
        shapes = {name: tuple(one.shape) for name, one in model.named_parameters()}
        for name, owner in {**given, **odd}.items():
            session.handle.emit(
                ParameterSummaryRecord,
                step=0,
                module_name=owner,
                module_type=names.get(owner, "Odd"),
                parameter_name=name,
                parameter_role="weight",
                shape=shapes.get(name, (2,)),
                element_count=int(torch.Size(shapes.get(name, (2,))).numel()),
                dtype="float32",
                requires_grad=not name.startswith("0."),
            )

    found = model_of(tmp_path, session.run_id)

    modules = {one["name"]: one for one in found["modules"]}
    assert found["source"] == "watched"
    assert set(odd.values()) <= set(modules)
    assert modules["1"]["count"] == modules["1.0"]["own"] == 20
    assert modules["0"]["trainable"] == 0
    assert found["parameter_count"] == sum(one.numel() for one in model.parameters()) + 6
    assert found["frozen_count"] == 16
    assert modules["1.0"]["shapes"] == {"weight": [4, 4], "bias": [4]}
    assert [modules[name]["measured"] for name in ("1.0", "1")] == [True, False]


def test_a_run_without_a_model_has_no_modules(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="bare", storage_dir=tmp_path) as session:
        pass

    found = model_of(tmp_path, session.run_id)

    assert (found["source"], found["modules"], found["models"]) == ("none", [], [])
