"""Plain scripts in the idioms of well-known repositories, with ``import wandb`` as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integrations.training import HERE, artifacts, column, opened, table, trained, values

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCRIPTS = HERE / "scripts"


def test_nanogpt() -> None:
    done = trained(SCRIPTS / "nanogpt_style.py", "--wandb_log=True", "--learning_rate=0.02")

    run, rows = done.run, done.said["rows"]
    assert [step for step, *_ in rows] == [0, 10, 20, 30]
    assert column(run, "train/loss", x="iter") == [(step, loss) for step, loss, _, _ in rows]
    assert column(run, "val/loss", x="iter") == [(step, loss) for step, _, loss, _ in rows]
    assert values(run, "lr") == [lr for *_, lr in rows]
    assert run.config == done.said["config"]
    assert (run.name, run.project, run.config["learning_rate"]) == ("gpt2", "owt", 0.02)


def test_cleanrl() -> None:
    done = trained(SCRIPTS / "cleanrl_style.py", "--track", needs=("tensorboard", "gymnasium"))

    run, said = done.run, done.said
    returns = [tuple(row) for row in said["returns"]]
    assert column(run, "charts/episodic_return", x="global_step") == returns
    losses = column(run, "losses/policy_loss", x="global_step")
    assert [step for step, _ in losses] == [step for step, _ in said["losses"]]
    assert [loss for _, loss in losses] == pytest.approx([loss for _, loss in said["losses"]])
    assert run.config["env_id"] == "CartPole-v1"
    assert any(file.name.endswith("cleanrl_style.py") for file in run.files())


def test_open_clip_also_when_it_goes_on() -> None:
    first = trained(SCRIPTS / "open_clip_style.py")
    run, said = first.run, [tuple(row) for row in first.said]
    assert column(run, "train/contrastive_loss") == said
    assert column(run, "train/contrastive_loss", x="step") == said
    assert run.id == run.name == "tiny-clip"
    assert run.notes == "two towers"
    assert "params.txt" in {Path(file.name).name for file in run.files()}
    assert values(run, "epoch") == [0, 1]

    second = trained(SCRIPTS / "open_clip_style.py", "--resume", "latest")
    run, added = second.run, [tuple(row) for row in second.said]
    assert run.id == "tiny-clip"
    assert added[0][0] == 16
    assert column(run, "train/contrastive_loss") == said + added


def test_torchtune() -> None:
    done = trained(SCRIPTS / "torchtune_style.py")

    run, said = done.run, done.said
    assert column(run, "loss", x="global_step") == [(step, loss) for step, loss, _ in said]
    assert column(run, "grad_norm", x="global_step") == [(step, norm) for step, _, norm in said]
    assert run.job_type == "finetune"
    assert run.config["optimizer"] == {"_component_": "torch.optim.SGD", "momentum": 0.9}
    assert "torchtune_config.yaml" in {file.name for file in run.files()}


def test_ultralytics() -> None:
    done = trained(SCRIPTS / "ultralytics_style.py", needs=("PIL", "pandas"))

    run, said = done.run, done.said
    assert column(run, "train/box_loss") == list(enumerate(said["box_loss"], start=1))
    assert column(run, "metrics/mAP50(B)") == list(enumerate(said["map"], start=1))
    assert column(run, "model/parameters") == [(1, 5)]
    assert (run.name, run.project) == ("tiny", "runs-detect")
    assert run.summary["labels"]["_type"] == "image-file"
    assert opened(run, run.summary["labels"]["path"]).size == (8, 8)
    curve = table(run, "curves/Precision-Recall(B)_table")
    assert curve["columns"] == ["class", "y", "x"]
    assert [row[1] for row in curve["data"]] == [1.0, 0.938, 0.75, 0.438, 0.0]
    (best,) = artifacts(run, "model")
    assert "best" in best.aliases
    assert best.manifest.entries["best.pt"].size == said["size"]


def test_lerobot_also_when_it_goes_on_with_the_run_of_the_folder() -> None:
    first = trained(SCRIPTS / "lerobot_style.py", needs=("moviepy", "PIL"))
    second = trained(SCRIPTS / "lerobot_style.py", "--resume", needs=("moviepy", "PIL"))

    run = second.run
    assert run.id == first.said["id"] == second.said["id"]
    said = [tuple(row) for row in first.said["loss"] + second.said["loss"]]
    assert column(run, "train/loss") == said
    assert column(run, "eval/pc_success") == [(6, 50.0), (12, 50.0)]
    assert run.summary["train/dataset"] == "tiny"
    assert run.summary["eval/video"]["_type"] == "video-file"
    assert {"policy-seed_0-000006:v0", "policy-seed_0-000012:v0"} == {
        one.name for one in artifacts(run, "model")
    }


def test_a_sweep_in_one_file() -> None:
    done = trained(SCRIPTS / "sweep_style.py")

    assert len(done.said["trials"]) == 4
    found = [
        {
            "lr": run.config["lr"],
            "width": run.config["width"],
            "loss": run.summary["loss"],
        }
        for run in done.runs
    ]
    assert found == done.said["trials"]
    assert {(one["lr"], one["width"]) for one in found} == {
        (lr, width) for lr in (0.01, 0.1) for width in (2, 4)
    }
    assert all(len(values(run, "loss")) == 3 for run in done.runs)
