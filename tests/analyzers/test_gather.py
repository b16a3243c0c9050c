"""Evidence is what was logged: from every kind of store, whole or while it comes in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quark import (
    DataDiagnostics,
    EventLogger,
    LayerSummaryRecord,
    MetricsLogger,
    ParameterSummaryRecord,
    RunNotFoundError,
    SystemTelemetry,
    TrainingSession,
)
from quark.analyzers.evidence import RunEvidence, RunFacts
from quark.analyzers.evidence_builder import EvidenceBuilder, EvidenceLimits
from quark.analyzers.gather import gather
from quark.pipeline.shipper import Shipper
from quark.storage.batch import Batch

OVERRIDES = {"train_loss": ("train/loss",), "val_loss": ("val/loss",)}


def gathered(session: TrainingSession, **options: Any) -> RunEvidence:
    with session.reading() as store:
        return gather(store, session.run_id, overrides=OVERRIDES, **options)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    with TrainingSession.start_run(
        project="evidence", storage_dir=tmp_path, config={"lr": 0.1}
    ) as session:
        yield session


def log_everything(session: TrainingSession) -> None:
    with MetricsLogger(session) as metrics:
        for step in range(20):
            metrics.log("train/loss", 1.0 / (1 + step), step=step, epoch=step // 10)
        metrics.log("val/loss", 0.5, epoch=0)
        metrics.log("val/loss", 0.4, epoch=1)
    session.handle.log_row({"train/loss": 9.0, "odd": float("nan")}, 5)  # logged once more
    for step in (0, 10):
        session.emit(
            LayerSummaryRecord,
            step=step,
            module_name="net.0",
            module_type="Linear",
            summary_type="activation",
            hook_direction="forward",
            element_count=100,
            norm=10.0 + step,
            std=1.0,
            dead_unit_ratio=0.25,
        )
        session.emit(
            LayerSummaryRecord,
            step=step,
            module_name="net.0",
            module_type="Linear",
            summary_type="gradient",
            hook_direction="backward",
            element_count=100,
            norm=0.5,
            metadata={"nonfinite_count": 3},
        )
        session.emit(
            ParameterSummaryRecord,
            step=step,
            module_name="net.0",
            module_type="Linear",
            parameter_name="weight",
            parameter_role="weight",
            element_count=400,
            value_norm=2.0,
            gradient_norm=0.1 + step,
            metadata={"gradient_nonfinite_count": 1},
        )
    session.emit(
        LayerSummaryRecord,
        step=15,
        module_name="net.0",
        module_type="Linear",
        summary_type="activation",
        hook_direction="forward",
        element_count=100,
        norm=999.0,
        metadata={"grad_enabled": False},
    )
    with SystemTelemetry(session) as telemetry:
        telemetry.record_step(3, step_time_ms=12.5)
    with DataDiagnostics(session) as data:
        data.log_batch(1.0, step=0, epoch=0, labels=[0, 0, 1], sample_ids=[1, 2, 3])
        data.log_batch(
            float("nan"), step=1, epoch=0, labels=[1, 1], sample_ids=[3, 4], sequence_lengths=[2, 8]
        )
    with EventLogger(session) as events:
        events.log("something", payload={"a": 1})


def check(evidence: RunEvidence) -> None:
    loss = evidence.role("train_loss")
    assert loss is not None
    assert loss.step.tolist() == list(range(20))
    assert loss.value.tolist() == [9.0 if step == 5 else 1.0 / (1 + step) for step in range(20)]
    val = evidence.role("val_loss")
    assert val is not None
    assert (val.has_steps, val.step.tolist(), val.value.tolist()) == (False, [0, 1], [0.5, 0.4])
    assert val.epoch.tolist() == [0, 1]
    assert evidence.nonfinite_counts == {"odd": 1}
    assert np.isnan(evidence.metrics["odd"].value).tolist() == [True]
    (activation,) = evidence.activations
    assert activation.step.tolist() == [0, 10]  # the evaluation at step 15 is none of training's
    assert activation.norm.tolist() == [10.0, 20.0]
    assert activation.rms.tolist() == [1.0, 2.0]
    assert (activation.place, activation.dead_unit_ratio.tolist()) == (0, [0.25, 0.25])
    (gradient,) = evidence.gradients
    assert (gradient.place, gradient.nonfinite_count.tolist()) == (0, [3, 3])
    assert np.isnan(gradient.std).all()
    (weight,) = evidence.parameters
    assert (weight.name, weight.element_count) == ("net.0.weight", 400)
    assert weight.gradient_norm.tolist() == [0.1, 10.1]
    assert weight.gradient_nonfinite_count.tolist() == [1, 1]
    assert np.isnan(weight.update_norm).all()
    place = evidence.telemetry.step.tolist().index(3)
    assert evidence.telemetry.number("step_time_ms")[place] == 12.5
    assert evidence.batches.number("loss")[0] == 1.0
    assert evidence.data.class_counts == {"0": 2, "1": 3}
    assert (evidence.data.exposure_count, evidence.data.distinct_id_count) == (5, 4)
    assert evidence.data.sample_ids_at == {1: ("3", "4")}
    assert (evidence.data.padded_length, evidence.data.given_length) == (16, 10)
    assert "something" in evidence.events.object("event_type")
    assert evidence.last_step == 19


def test_everything_that_was_logged_is_there_column_by_column(session: TrainingSession) -> None:
    log_everything(session)

    evidence = gathered(session, now_us=5)

    check(evidence)
    assert (evidence.run.status, evidence.run.now_us) == ("running", 5)
    assert evidence.run.config == {"lr": 0.1}
    assert evidence.run.started_us is not None


def test_batches_on_their_way_give_the_same_evidence_as_the_store(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Batch] = []
    shipper: Shipper = session.handle._shipper
    monkeypatch.setattr(shipper, "_on_batch", seen.append)
    session.flush()
    delivery = shipper._delivery
    assert delivery is not None
    monkeypatch.setattr(delivery, "on_batch", seen.append)

    log_everything(session)
    session.flush()

    builder = EvidenceBuilder()
    for batch in seen:
        for block in batch.blocks:
            builder.add_block(block, 0)
        builder.add_bodies(batch.records)
    check(builder.build(RunFacts(), overrides=OVERRIDES))


def test_limits_thin_out_what_is_long_and_keep_what_is_not_finite(
    session: TrainingSession,
) -> None:
    for step in range(5_000):
        value = float("inf") if step == 1_234 else float(step)
        session.handle.log_row({"train/loss": value}, step)
    session.flush()

    evidence = gathered(session, limits=EvidenceLimits(points=1_000))

    loss = evidence.metrics["train/loss"]
    assert 400 <= len(loss) <= 1_001
    assert np.isinf(loss.value[loss.step == 1_234]).tolist() == [True]
    assert loss.step[0] == 0
    assert (np.diff(loss.step) > 0).all()
    rest = np.isfinite(loss.value)
    assert (loss.value[rest] == loss.step[rest]).all()


def test_an_empty_run_is_evidence_of_nothing_and_an_unknown_one_is_refused(
    session: TrainingSession,
) -> None:
    evidence = gathered(session)

    assert (evidence.metrics, evidence.activations, evidence.last_step) == ({}, (), None)
    with session.reading() as store, pytest.raises(RunNotFoundError, match="run_nowhere"):
        gather(store, "run_nowhere")


def test_a_run_that_was_gone_on_with_counts_each_step_once(tmp_path: Path) -> None:
    first = TrainingSession.start_run(project="p", storage_dir=tmp_path)
    for step in range(10):
        first.handle.log_row({"train/loss": 1.0}, step)
    first.end_run("interrupted")
    second = TrainingSession.resume_run(run_id=first.run_id, storage_dir=tmp_path)
    for step in range(5, 15):
        second.handle.log_row({"train/loss": 2.0}, step)

    evidence = gathered(second)
    second.end_run()

    loss = evidence.metrics["train/loss"]
    assert loss.step.tolist() == list(range(15))
    assert loss.value.tolist() == [1.0] * 5 + [2.0] * 10
    assert len(evidence.run.resume_times_us) == 1
    assert evidence.rank_metrics == {}
