"""Whether evaluation shows a model what training has shown it before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import quark.compat.wandb as wandb
from quark import AnalyzerEngine, TrainingSession
from quark.hooks.loop_evaluation import SeenRows, different_rows
from quark.records import TrainingLoopRecord
from quark.session import registry


def test_rows_are_told_apart_and_found_again() -> None:
    batch = np.random.default_rng(0).normal(size=(40, 3, 5)).astype(np.float32)
    seen = SeenRows()
    seen.note_evaluation(batch)
    assert seen.take() == {}  # nothing was trained on yet

    seen.note_training(batch[:30])
    seen.note_evaluation(batch[20:])
    seen.note_evaluation(batch[30:] + 1)
    counts = seen.take()

    plainly = {row.tobytes() for row in batch[20:]} & {row.tobytes() for row in batch[:30]}
    assert counts == {
        "evaluation_row_count": 20 + 10,
        "evaluation_seen_row_count": len(plainly),
        "evaluation_pass_count": 2,
        "evaluation_unseen_pass_count": 1,
    }
    assert seen.take() == {}
    assert len(different_rows(np.full((4, 6), np.nan, np.float32))) == 0


@pytest.fixture(autouse=True)
def _looks_at_every_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("quark.hooks.loop.FREE_SECONDS", 1000.0)
    yield
    wandb.finish()


def train(folder: Path, train_x: torch.Tensor, shown: list[torch.Tensor]) -> TrainingSession:
    """Train a little; evaluate on each of ``shown`` after each epoch."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    targets = train_x[:, :3].argmax(dim=1)
    wandb.init(project="leak", dir=folder, settings=wandb.Settings(silent=True))
    session = registry.latest()
    assert session is not None
    wandb.watch(model, log="all", log_freq=5)
    for _ in range(4):
        for batch in torch.split(torch.randperm(len(train_x)), 16):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(train_x[batch]), targets[batch])
            torch.autograd.backward(loss)
            optimizer.step()
            wandb.log({"train/loss": loss.item()})
        with torch.no_grad():
            for rows in shown:
                model(rows)
        wandb.log({"val/loss": 1.0})
    wandb.finish()
    return session


@pytest.mark.parametrize(
    ("shown", "leaks"),
    [
        pytest.param([slice(0, 60)], True, id="training-samples-alone"),
        pytest.param([slice(300, 400)], False, id="others"),
        pytest.param([slice(0, 60), slice(300, 400)], False, id="both-one-after-the-other"),
    ],
)
def test_a_model_that_is_validated_on_its_training_data_is_told(
    tmp_path: Path, shown: list[slice], leaks: bool
) -> None:
    samples = torch.randn(400, 12, generator=torch.Generator().manual_seed(1))
    session = train(tmp_path, samples[:200], [samples[part] for part in shown])

    alerts = AnalyzerEngine(session).analyze().alerts

    told = {alert.rule_id for alert in alerts} | {
        one["rule_id"] for alert in alerts for one in alert.metadata["consequences"]
    }
    assert ("validation_leak" in told) is leaks
    with session.reading() as store:
        records = store.records.read(TrainingLoopRecord, session.run_id)
    assert sum(record.evaluation_pass_count or 0 for record in records) == 4 * len(shown)
    assert session.diagnostics().faults == {}
