"""Libraries that train networks, unmodified, with ``import wandb`` meaning Quark.

What the run has is compared with what the library says itself of the training.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.integrations.training import artifacts, column, opened, table, trained, values

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_transformers_trainer_keeps_its_log_history() -> None:
    done = trained("transformers_trainer", needs=("transformers", "accelerate"), WANDB_WATCH="all")

    run, log = done.run, done.said["log"]
    losses = [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
    evaluations = [(entry["step"], entry["eval_loss"]) for entry in log if "eval_loss" in entry]
    assert len(losses) == 5
    assert column(run, "train/loss", x="train/global_step") == losses
    assert column(run, "eval/loss", x="train/global_step") == evaluations
    assert values(run, "train/grad_norm") == [e["grad_norm"] for e in log if "grad_norm" in e]
    rates = [entry["learning_rate"] for entry in log if "learning_rate" in entry]
    assert values(run, "train/learning_rate") == rates
    assert run.summary["train_loss"] == log[-1]["train_loss"]
    assert run.summary["train/loss"] == losses[-1][1]
    assert (run.name, run.project) == ("tiny-gpt", "huggingface")
    assert run.config["model/num_parameters"] == done.said["parameters"]
    assert run.config["n_embd"] == 16
    assert run.config["num_train_epochs"] == 2
    assert run.config["report_to"] == ["wandb"]


def test_accelerate_joins_what_it_logs_at_one_step() -> None:
    done = trained("accelerate_loop", needs=("accelerate",))

    run = done.run
    assert column(run, "loss") == list(enumerate(done.said["losses"]))
    assert column(run, "epoch", x="loss") == [
        (loss, index // 4) for index, loss in enumerate(done.said["losses"])
    ]
    assert run.id == done.said["id"]
    assert done.said["tracker"] == "WandBTracker"
    assert (run.name, run.project, run.group, run.tags) == (
        "loop",
        "accelerated",
        "tests",
        ["cpu"],
    )
    assert run.config == {"lr": 0.1, "layers": 1}


def test_lightning_keeps_metrics_hyperparameters_and_what_it_watches() -> None:
    done = trained("lightning_fit", needs=("lightning",))

    run, said = done.run, done.said
    steps = [(step, said["train_loss"][step]) for step in range(1, said["steps"], 2)]
    assert column(run, "train_loss", x="trainer/global_step") == steps
    assert column(run, "val_loss", x="trainer/global_step") == [
        (step, loss) for step, loss in zip((5, 11, 17), said["val_loss"], strict=True)
    ]
    assert values(run, "test_loss") == [said["test"]["test_loss"]]
    assert values(run, "lr-SGD") == [0.05, 0.025, 0.0125]
    assert (run.id, run.name, run.project) == (said["id"], said["name"], "lit")
    assert {"width": 8, "lr": 0.05}.items() <= run.config.items()
    histograms = [
        row["gradients/net.0.weight"] for row in run.scan_history(keys=["gradients/net.0.weight"])
    ]
    assert histograms
    assert all(sum(one["values"]) == 8 * 4 for one in histograms)


def test_lightning_joins_its_spawned_processes_to_the_run() -> None:
    done = trained("lightning_fit", "ddp_spawn", needs=("lightning",))

    run = done.run
    assert len(values(run, "train_loss")) == 4
    assert all(math.isfinite(loss) for loss in values(run, "val_loss"))
    assert (run.id, run.name) == (done.said["id"], "regression")


def test_lightning_keeps_images_tables_text_and_checkpoints() -> None:
    done = trained("lightning_media", needs=("lightning", "PIL"))

    run, said = done.run, done.said
    images = run.summary["samples"]
    assert (images["_type"], images["count"], images["captions"]) == (
        "images/separated",
        2,
        ["zero", "one"],
    )
    pictures = [opened(run, name) for name in images["filenames"]]
    assert [picture.size for picture in pictures] == [(4, 4), (4, 4)]
    means = [sum(picture.convert("L").getdata()) / 16 / 255 for picture in pictures]
    assert means == pytest.approx(said["means"][:2], abs=1 / 255)
    assert table(run, "means")["columns"] == ["index", "mean", "text"]
    assert [row[1] for row in table(run, "means")["data"]] == said["means"]
    assert table(run, "words") == {"columns": ["word"], "data": [["done"]]}
    kept = artifacts(run, "model")
    assert kept
    (best,) = [one for one in kept if "best" in one.aliases]
    assert best.metadata["score"] == pytest.approx(said["score"])
    assert said["same"]
    assert said["path"] == "model.ckpt"


def test_fabric_keeps_what_a_loop_logs_through_its_logger() -> None:
    done = trained("fabric_loop", needs=("lightning",))

    assert [list(row) for row in column(done.run, "loss", x="iter")] == done.said
    assert values(done.run, "trainer/global_step") == [step for step, _ in done.said]
    assert done.run.config == {"model": {"n_layer": 1}, "train": {"lr": 0.1}}


def test_transformers_trainer_keeps_its_model() -> None:
    done = trained(
        "transformers_trainer", needs=("transformers", "accelerate"), WANDB_LOG_MODEL="checkpoint"
    )

    models = artifacts(done.run, "model")
    aliases = {alias for model in models for alias in model.aliases}
    assert {"base_model", "checkpoint_global_step_8", "checkpoint_global_step_16"} <= aliases
    (last,) = [model for model in models if "final_model" in model.aliases]
    assert "model.safetensors" in last.manifest.entries
    assert last.metadata["final_model"] is True
    assert last.metadata["train_loss"] == done.said["log"][-1]["train_loss"]
    folder = Path(last.download("again"))
    assert (folder / "model.safetensors").stat().st_size > 1000


def test_ignite_keeps_what_its_handlers_give() -> None:
    done = trained("ignite_engine", needs=("ignite",))

    run, said = done.run, done.said
    assert values(run, "training/loss") == said["loss"]
    assert [list(row) for row in column(run, "validation/loss")] == said["valid"]
    assert values(run, "validation/loss") == values(run, "validation/mse")
    assert set(values(run, "lr/group_0")) == {0.05}
    assert (run.config, run.tags) == ({"max_epochs": 3}, ["ignite"])
    assert [file.name for file in run.files() if file.name.endswith(".pt")] == [said["checkpoint"]]
    assert any("gradients/weight" in row for row in run.scan_history())
    assert any("parameters/weight" in row for row in run.scan_history())


def test_fastai_keeps_batches_epochs_predictions_and_its_best_model() -> None:
    done = trained("fastai_tabular", needs=("fastai",))

    run, said = done.run, done.said
    assert values(run, "raw_loss") == pytest.approx(said["raw"])
    assert [step for step, _ in column(run, "raw_loss")] == list(range(16))
    assert values(run, "valid_loss") == pytest.approx([row[1] for row in said["values"]])
    assert [step for step, _ in column(run, "valid_loss")] == [3, 7, 11, 15]
    assert values(run, "epoch")[-1] == 4
    assert values(run, "lr_0")[0] == 1e-2
    assert run.config["n_inp"] == 2
    assert run.config["batch size"] == 32
    predictions = table(run, "Prediction_Samples")
    assert predictions["columns"] == ["kind", "a", "b", "c", "target", "target_pred"]
    assert len(predictions["data"]) == 32
    (best, *_) = artifacts(run, "model")
    assert best.name.startswith("best:v")
    assert "best.pth" in best.manifest.entries


def test_optuna_keeps_a_study_in_one_run_and_each_trial_in_its_own() -> None:
    done = trained("optuna_study", needs=("optuna", "optuna_integration"))

    whole, *single = done.runs
    trials = done.said["one"]
    assert column(whole, "loss") == [(trial["number"], trial["value"]) for trial in trials]
    assert values(whole, "x") == [trial["x"] for trial in trials]
    assert whole.config == {"direction": ["MINIMIZE"]}
    assert len(single) == len(done.said["many"]) == 5
    for run, trial in zip(single, done.said["many"], strict=True):
        assert run.name.startswith(f"trial/{trial['number']}/")
        assert run.config["x"] == trial["x"]
        assert run.tags == ["random", "parabola"]
        distance = abs(trial["x"] - 2)
        assert values(run, "distance") == [distance, distance / 2, distance / 3]
        assert values(run, "value") == [trial["value"]]
        assert values(run, "trial_number") == [trial["number"]]


def test_a_program_that_fails_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text("import wandb\nwandb.init()\nraise SystemExit(3)")

    with pytest.raises(AssertionError):
        trained(tmp_path / "fails.py")
