"""Metrics come back as they were logged, by every filter, and bad ones are refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from quark import EventLogger, MetricsLogger, SchemaValidationError, TrainingSession
from quark.errors import WriterClosedError


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        yield session


def test_what_log_returned_is_what_read_returns(session: TrainingSession) -> None:
    with MetricsLogger(session) as metrics:
        logged = [
            metrics.log(
                "my_eval/f1_macro",
                0.812,
                step=120,
                epoch=2,
                description="Macro F1 on the internal holdout split.",
                metadata={"split": "holdout_internal", "threshold": 0.5},
            ),
            metrics.log("data/duplicate_ratio", 0.034, step=120, epoch=2),
            metrics.log("latency_ms", 18.4, epoch=2, namespace="serving/shadow"),
            metrics.log("loss", 1, step=7, timestamp="2026-05-07T00:00:00Z"),
        ]

        assert metrics.read() == tuple(logged)
    first, _, third, fourth = logged
    assert (third.metric_key, third.namespace, third.metric_name, third.step) == (
        "serving/shadow/latency_ms",
        "serving/shadow",
        "latency_ms",
        None,
    )
    assert fourth.timestamp == "2026-05-07T00:00:00.000000Z"
    assert (fourth.namespace, fourth.value, type(fourth.value)) == (None, 1.0, float)
    assert first.to_dict()["metadata"] == {"split": "holdout_internal", "threshold": 0.5}
    assert len({record.id for record in logged}) == 4


def test_every_filter_selects_what_a_plain_loop_selects(session: TrainingSession) -> None:
    with MetricsLogger(session, batch_size=7) as metrics:
        for n in range(200):
            metrics.log(
                ("train/loss", "val/loss", "val/acc", "lr")[n % 4],
                float(n),
                step=None if n % 11 == 0 else (n * 37) % 50,
                epoch=n // 50,
            )
        everything = metrics.read()

        cases: list[tuple[dict[str, Any], Any]] = [
            ({"metric_key": "val/loss"}, lambda r: r.metric_key == "val/loss"),
            ({"namespace": "val"}, lambda r: r.namespace == "val"),
            ({"metric_name": "loss"}, lambda r: r.metric_name == "loss"),
            ({"step": 13}, lambda r: r.step == 13),
            ({"step_min": 10, "step_max": 20}, lambda r: r.step is not None and 10 <= r.step <= 20),
            ({"epoch": 2}, lambda r: r.epoch == 2),
            ({"epoch_min": 1, "epoch_max": 2}, lambda r: 1 <= r.epoch <= 2),
            (
                {"namespace": "val", "step_min": 5, "epoch_max": 1},
                lambda r: r.namespace == "val" and (r.step or -1) >= 5 and r.epoch <= 1,
            ),
            ({"metric_key": "nobody"}, lambda r: False),
        ]
        for filters, fits in cases:
            expected = tuple(record for record in everything if fits(record))
            assert metrics.read(**filters) == expected, filters
            assert metrics.read(**filters, limit=3) == expected[-3:], filters
    assert [record.value for record in everything] == [float(n) for n in range(200)]


@pytest.mark.parametrize(
    ("metric", "value", "place", "message"),
    [
        pytest.param("loss", 1.0, {}, "step=, epoch=", id="no-place"),
        pytest.param("loss", 1.0, {"step": -1}, "step -1", id="negative-step"),
        pytest.param("loss", 1.0, {"step": 1.5}, "step 1.5", id="fractional-step"),
        pytest.param("loss", 1.0, {"epoch": True}, "epoch True", id="boolean-epoch"),
        pytest.param("loss", "0.5", {"step": 1}, "'0.5'", id="text"),
        pytest.param("loss", True, {"step": 1}, "True", id="boolean"),
        pytest.param("loss", None, {"step": 1}, "None", id="none"),
        pytest.param("loss", [1.0], {"step": 1}, "single number", id="list"),
        pytest.param("loss", 10**400, {"step": 1}, "64-bit", id="too-large"),
        pytest.param("train//loss", 1.0, {"step": 1}, "train//loss", id="empty-segment"),
        pytest.param("_loss", 1.0, {"step": 1}, "_loss", id="bad-first-letter"),
        pytest.param(
            "loss", 1.0, {"step": 1, "metadata": {"x": object()}}, "object", id="metadata"
        ),
        pytest.param("loss", 1.0, {"step": 1, "timestamp": "soon"}, "soon", id="timestamp"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_costs_nothing_logged_before(
    session: TrainingSession, metric: str, value: Any, place: dict[str, Any], message: str
) -> None:
    with MetricsLogger(session) as metrics:
        metrics.log("good", 1.0, step=0)

        with pytest.raises(SchemaValidationError, match=message):
            metrics.log(metric, value, **place)

        assert [record.metric_key for record in metrics.read()] == ["good"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("-inf")])
def test_a_value_that_is_not_finite_is_refused_and_kept_as_an_event(
    session: TrainingSession, value: float
) -> None:
    with MetricsLogger(session) as metrics, pytest.raises(SchemaValidationError, match="finite"):
        metrics.log("train/loss", value, step=12, epoch=1)

    with EventLogger(session) as events:
        (event,) = events.read(event_type="non_finite_metric")
    assert (event.step, event.epoch, event.severity) == (12, 1, "warning")
    assert event.payload["metric_key"] == "train/loss"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(3), 3.0),
        (torch.tensor(0.25, requires_grad=True), 0.25),
        (torch.tensor([2.0]).sum(), 2.0),
        (7, 7.0),
    ],
)
def test_scalars_of_any_numeric_kind_are_taken(
    session: TrainingSession, value: Any, kept: float
) -> None:
    with MetricsLogger(session) as metrics:
        assert metrics.log("x", value, step=0).value == kept
        assert metrics.read()[0].value == kept


def test_flush_returns_what_was_written_since_the_last_flush_or_full_batch(
    session: TrainingSession,
) -> None:
    metrics = MetricsLogger(session, batch_size=3)
    logged = [metrics.log("x", float(n), step=n) for n in range(5)]

    assert metrics.flush() == tuple(logged[3:])
    assert metrics.flush() == ()
    metrics.close()
    metrics.close()
    with pytest.raises(WriterClosedError, match="closed"):
        metrics.log("x", 1.0, step=1)
    assert metrics.read() == tuple(logged)


def test_a_writer_takes_a_context_of_a_run_that_is_open_or_over(tmp_path: Path) -> None:
    with (
        TrainingSession.start_run(project="p", storage_dir=tmp_path) as session,
        MetricsLogger(session.context) as metrics,
    ):
        metrics.log("x", 1.0, step=0)

    with MetricsLogger(session.context) as metrics:
        metrics.log("x", 2.0, step=1)

    with MetricsLogger(session.context) as metrics:
        assert [record.value for record in metrics.read()] == [1.0, 2.0]
    assert session.reload().status == "completed"
    with pytest.raises(SchemaValidationError, match="not a run"):
        MetricsLogger("run_1")  # type: ignore[arg-type]
    with pytest.raises(SchemaValidationError, match="batch_size 0"):
        MetricsLogger(session, batch_size=0)


def test_a_writer_on_a_session_that_ended_refuses(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        metrics = MetricsLogger(session)

    with pytest.raises(WriterClosedError, match="run has ended"):
        metrics.log("x", 1.0, step=0)
