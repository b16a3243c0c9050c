"""What a project of ``wandb.Api`` lists, and a run that is made of event files."""

from __future__ import annotations

from pathlib import Path

import pytest

import quark.compat.wandb as wandb

GRID = {"method": "grid", "parameters": {"lr": {"values": [1, 2]}}}


def test_a_project_lists_its_sweeps_and_artifacts(tmp_path: Path) -> None:
    first = wandb.sweep(GRID, project="p")
    second = wandb.sweep(GRID, project="p")
    wandb.sweep(GRID, project="other")
    with wandb.init(project="p", settings={"silent": True}) as run:
        for name, kind in (("data", "dataset"), ("net", "model"), ("more", "dataset")):
            artifact = wandb.Artifact(name, type=kind)
            with artifact.new_file("a.txt") as file:
                file.write(name)
            run.log_artifact(artifact)

    project = wandb.Api().project("p")

    assert [sweep.id for sweep in project.sweeps()] == [first, second]
    assert sorted(kind.name for kind in project.artifacts_types()) == ["dataset", "model"]
    assert [found.name for found in project.collections()] == ["data", "more", "net"]


def test_event_files_become_a_run(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "events")) as writer:
        for step in range(5):
            writer.add_scalar("loss", 1 / (step + 1), step)

    run = wandb.Api().sync_tensorboard(str(tmp_path / "events"), project="from-events")

    assert run.project == "from-events"
    assert run.state == "finished"
    rows = list(run.scan_history(keys=["loss", "global_step"]))
    assert [row["global_step"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["loss"] for row in rows] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert wandb.run is None
