"""What else W&B's callbacks do: pictures, videos, predictions, cross-validation, refusals."""

from __future__ import annotations

import pytest

from tests.integrations.training import artifacts, column, table, trained, values

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_keras_keeps_weights_pictures_the_best_model_and_predictions() -> None:
    done = trained("keras_old_callback", needs=("keras",))

    run, said = done.run, done.said
    losses = said["history"]["val_loss"]
    assert column(run, "val_loss", x="epoch") == list(enumerate(losses))
    assert run.summary["best_val_loss"] == min(losses)
    assert run.summary["best_epoch"] == losses.index(min(losses))
    assert [file.name for file in run.files() if "best" in file.name] == ["model-best.weights.h5"]
    rows = list(run.scan_history(keys=["parameters/dense.weights", "examples"]))
    assert len(rows) == 3
    for row in rows:
        assert sum(row["parameters/dense.weights"]["values"]) == said["sizes"][0]
        assert row["examples"]["count"] == 5
    assert set(rows[-1]["examples"]["captions"]) <= {"low", "high", "corner"}
    predictions = table(run, "validation_predictions")
    assert [row[1] for row in predictions["data"]][:5] == said["labels"]
    found = [max(range(3), key=row[2].__getitem__) for row in predictions["data"]]
    assert found[:5] == said["guesses"]
    rates = values(run, "batch/learning_rate")
    assert rates[:3] == pytest.approx([0.05 * 0.5 ** (step / 4) for step in (1, 3, 4)], rel=1e-3)
    assert "log_gradients" in done.printed

    # of the WandbEvalCallback

    (evaluation,) = {one.name.partition(":")[0] for one in artifacts(run, "evaluation")}
    assert evaluation == f"run_{run.id}_pred"
    assert len(artifacts(run, "evaluation")) == 3
    newest = max(artifacts(run, "evaluation"), key=lambda one: int(one.version[1:]))
    predicted = newest.get("eval_data")
    assert predicted.columns == ["epoch", "idx", "label", "pred"]
    assert [row[:2] for row in predicted.data] == [[2, index] for index in range(4)]


def test_videos_of_environments_are_kept() -> None:
    run = trained("gym_videos", needs=("gymnasium", "stable_baselines3", "moviepy")).run

    videos = [row["videos"] for row in run.scan_history(keys=["videos"])]
    assert [video["_type"] for video in videos] == ["video-file"] * 3
    assert all(video["size"] > 0 and video["path"].endswith(".mp4") for video in videos)
    assert values(run, "episode") == [0, 1, 2]


def test_what_pipelines_of_transformers_were_asked_and_said_is_logged() -> None:
    done = trained("transformers_pipeline", needs=("transformers",))

    assert "refused" in done.printed
    first, second = (
        done.run.media(row["text-classification"])
        for row in done.run.scan_history(keys=["text-classification"])
    )
    assert first.columns[:2] == ["ID", "Model Alias"]
    assert [row[4] for row in first.data] == ["good film"]
    assert [row[5] for row in first.data] == done.said[0]
    assert [row[4] for row in second.data] == ["good film", "bad film"]
    assert [row[5] for row in second.data] == done.said[1]
    assert second.data[0][6] == {"top_k": "2"}
    assert 0 < second.data[0][3] < 60


def test_boosting_in_other_ways() -> None:
    done = trained("boosting_variants", needs=("xgboost", "lightgbm", "catboost"))

    twice, folds, now_and_then = done.runs
    assert values(twice, "train-auc")[3:] == done.said["auc"]["train"]["auc"]
    assert values(twice, "epoch") == [0, 1, 2] * 2
    assert twice.summary["train-auc"] == done.said["auc"]["train"]["auc"][-1]
    train = twice.config["learner"]["gradient_booster"]["tree_train_param"]
    assert train["max_depth"] == "3"
    assert values(folds, "valid_auc-mean") == done.said["folds"]["valid auc-mean"]
    assert values(folds, "valid_auc-stdv") == done.said["folds"]["valid auc-stdv"]
    assert values(now_and_then, "iteration@metric-period-3") == [1, 4, 7]
    assert values(now_and_then, "learn-Logloss") == done.said["logloss"]
    assert len(done.said["refusals"]) == 4
    assert all("wandb.init()" in refusal for refusal in done.said["refusals"])


def test_the_logger_for_fabric_keeps_metrics_media_and_checkpoints() -> None:
    done = trained("fabric_own_logger", needs=("lightning",))

    run = done.run
    assert column(run, "pre-loss", x="trainer/global_step") == [
        (0, 1),
        (10, 1 / 2),
        (20, 1 / 3),
        (30, 1 / 4),
    ]
    assert run.config["lr"] == 0.1
    assert run.config["loss"] == "mse_loss"
    assert (run.name, run.project, run.tags) == ("own", "fabric", ["a"])
    (pictures,) = [row["pre-pictures"] for row in run.scan_history(keys=["pre-pictures"])]
    assert pictures["captions"] == ["one", "two"]
    assert table(run, "pre-table")["data"] == [[1, "x"], [2, "y"]]
    (model,) = artifacts(run, "model")
    assert sorted(model.aliases) == ["best", "latest"]
    assert model.metadata == {"score": 0.5, "original_filename": "epoch.ckpt"}
    assert "refused: TypeError" in done.printed
    assert "refused: ValueError" in done.printed
