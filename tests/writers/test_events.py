"""Events and logs come back as they were written, by every filter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quark import EventLogger, LogIdentifier, SchemaValidationError, TrainingSession


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        yield session


def test_events_and_logs_come_back_as_they_were_written(session: TrainingSession) -> None:
    with EventLogger(session, batch_size=2) as events:
        logged = (
            events.log("checkpoint_saved", step=0, epoch=0, payload={"path": "checkpoints/0.pt"}),
            events.log("runtime_error", step=3),
            events.log("custom/thing-1.x", severity="critical", status="odd"),
            events.add_log("Validation loss increased.", identifier="Warning", step=1280),
            events.add_log("Fine.", identifier=LogIdentifier.INFO, payload={"window": 3}),
        )

        found = events.read()

    assert found[1:] == logged  # behind run_started
    assert [event.severity for event in logged] == ["info", "error", "critical", "warning", "info"]
    assert logged[3].payload == {"message": "Validation loss increased.", "identifier": "Warning"}
    assert logged[4].event_type == "user_log"


def test_every_filter_selects_what_a_plain_loop_selects(session: TrainingSession) -> None:
    with EventLogger(session) as events:
        for n in range(60):
            events.log(
                ("alpha", "beta", "gamma")[n % 3],
                severity=("info", "error")[n % 2],
                step=n if n % 5 else None,
                epoch=n // 20,
            )
        everything = events.read()
        cases: list[tuple[dict[str, Any], Any]] = [
            ({"event_type": "beta"}, lambda e: e.event_type == "beta"),
            ({"event_types": ["alpha", "beta"]}, lambda e: e.event_type in ("alpha", "beta")),
            ({"event_types": []}, lambda e: False),
            ({"severity": "error"}, lambda e: e.severity == "error"),
            ({"step_min": 10, "step_max": 30}, lambda e: e.step is not None and 10 <= e.step <= 30),
            ({"epoch": 1, "severity": "info"}, lambda e: e.epoch == 1 and e.severity == "info"),
        ]
        for filters, fits in cases:
            expected = tuple(event for event in everything if fits(event))
            assert events.read(**filters) == expected, filters
            assert events.read(**filters, limit=2) == expected[-2:], filters


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda e: e.log("Upper"), "Upper", id="upper-case"),
        pytest.param(lambda e: e.log("1st"), "1st", id="digit-first"),
        pytest.param(lambda e: e.log("x", severity="fatal"), "fatal", id="severity"),
        pytest.param(lambda e: e.log("x", step=-2), "-2", id="step"),
        pytest.param(lambda e: e.log("x", payload={"a": object()}), "object", id="payload"),
        pytest.param(lambda e: e.add_log("m", identifier="Oops"), "Oops", id="identifier"),
        pytest.param(lambda e: e.add_log("m", payload={"message": 1}), "reserved", id="reserved"),
        pytest.param(lambda e: e.add_log(""), "not empty", id="empty-message"),
        pytest.param(lambda e: e.read(step_min=5, step_max=1), "above", id="range"),
        pytest.param(lambda e: e.read(limit=-1), "limit -1", id="limit"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(
    session: TrainingSession, call: Any, message: str
) -> None:
    with EventLogger(session) as events, pytest.raises(SchemaValidationError, match=message):
        call(events)
