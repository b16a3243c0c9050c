"""The callbacks that W&B ships for other libraries, in those libraries, as their users write it."""

from __future__ import annotations

import pytest

from tests.integrations.training import artifacts, column, table, trained, values

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_keras_keeps_epochs_batches_and_checkpoints() -> None:
    done = trained("keras_fit", needs=("keras",))

    epochs, batches = done.runs
    for key, kept in done.said["history"].items():
        assert column(epochs, f"epoch/{key}", x="epoch/epoch") == list(enumerate(kept)), key
    assert values(epochs, "epoch/learning_rate") == pytest.approx([0.02] * 4)
    assert epochs.config == {"units": 8, "lr": 0.02}
    assert artifacts(epochs, "model")
    assert column(batches, "batch/loss", x="batch/batch_step") == list(
        enumerate(done.said["batches"])
    )


def test_stable_baselines_keeps_what_its_own_log_has() -> None:
    done = trained("sb3_ppo", needs=("stable_baselines3", "tensorboard", "gymnasium"))

    run, rows = done.run, done.said["rows"]
    assert len(rows) == 4
    for key in (
        "rollout/ep_rew_mean",
        "train/loss",
        "train/entropy_loss",
        "train/explained_variance",
    ):
        kept = column(run, key, x="global_step")
        said = [(int(row["time/total_timesteps"]), float(row[key])) for row in rows if row[key]]
        assert [step for step, _ in kept] == [step for step, _ in said], key
        assert [value for _, value in kept] == pytest.approx([value for _, value in said], rel=1e-4)
    assert run.config["algo"] == "PPO"
    assert run.config["env_name"] == "CartPole-v1"
    assert run.config["n_steps"] == 64
    (model,) = [file for file in run.files() if file.name.endswith("model.zip")]
    assert model.size == done.said["model_bytes"]
    assert any(key.startswith("gradients/") for row in run.scan_history() for key in row), (
        "nothing was watched"
    )


def test_xgboost_keeps_evaluations_importance_and_its_model() -> None:
    done = trained("xgboost_train", needs=("xgboost",))

    run, said = done.run, done.said
    for data, metrics in said["evals"].items():
        for name, kept in metrics.items():
            assert values(run, f"{data}-{name}") == kept
            assert run.summary[f"{data}-{name}"] == {"min": min(kept)}
    assert values(run, "epoch") == list(range(12))
    assert run.summary["best_score"] == pytest.approx(said["best_score"])
    assert run.summary["best_iteration"] == said["best_iteration"]
    importance = table(run, "Feature Importance_table")
    assert dict(importance["data"]) == pytest.approx(said["gain"])
    assert len(artifacts(run, "model")) == 1


def test_lightgbm_keeps_evaluations_parameters_and_its_model() -> None:
    done = trained("lightgbm_train", needs=("lightgbm",))

    run, said = done.run, done.said
    for data, metrics in said["evals"].items():
        for name, kept in metrics.items():
            assert values(run, f"{data}_{name}") == kept
            assert run.summary[f"{data}_{name}"] == {"min": min(kept)}
    assert values(run, "iteration") == list(range(10))
    assert run.config["objective"] == "regression"
    importance = table(run, "Feature Importance_table")
    assert sorted(row[1] for row in importance["data"]) == sorted(said["importance"])
    (model,) = artifacts(run, "model")
    assert "best" in model.aliases


def test_catboost_keeps_evaluations_and_its_model() -> None:
    done = trained("catboost_fit", needs=("catboost",))

    run, said = done.run, done.said
    for data, metrics in said["evals"].items():
        for name, kept in metrics.items():
            assert values(run, f"{data}-{name}") == kept
    assert run.summary["best_iteration"] == said["best"]
    assert run.config["iterations"] == 8
    (model,) = artifacts(run, "model")
    assert "model" in model.manifest.entries
