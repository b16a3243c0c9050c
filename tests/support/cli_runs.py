"""Runs for the command's tests: where they are kept, and one with a little of everything."""

from __future__ import annotations

import math

import pytest

from quark import EventLogger, MetricsLogger, TrainingSession
from tests.support.over_service import ServicePlace

#: A text that does something to a terminal, to rich and to a page, if it is let.
HOSTILE = "[bold]x[/] \x1b[31m<b>"


@pytest.fixture(params=["embedded", "service"])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have runs kept in the folder, or by a service; return which."""
    monkeypatch.setenv("QUARK_QUIET", "1")
    if request.param == "service":
        at: ServicePlace = request.getfixturevalue("place")
        monkeypatch.setenv("QUARK_PERSISTENCE_URL", at.url)
        monkeypatch.setenv("QUARK_USER_KEY", at.key)
    return str(request.param)


def trained(project: str = "digits", lr: float = 0.1, loss: float = 0.5, **more: object) -> str:
    """Train twenty steps of ``loss / (step + 1)``, and return the run's id."""
    session = TrainingSession.start_run(
        project=project, config={"lr": lr, "optimizer": {"name": "adam"}}, tags=("nightly",)
    )
    with session, MetricsLogger(session) as metrics, EventLogger(session) as events:
        for step in range(20):
            metrics.log("loss", loss / (step + 1), namespace="train", step=step)
        session.add_log(f"done {HOSTILE}")
        session.add_log("slow disk", identifier="Warning", step=19)
        events.log("epoch_done", step=19, payload={"accuracy": 0.5})
        session.update_run(name=HOSTILE, **more)
    return session.run_id


def uneven() -> str:
    """Log what is awkward: values that are not finite, without steps, twice at one step."""
    with TrainingSession.start_run(project="uneven") as session:
        for step in (0, 1, 2, 2):
            session.log_row({"loss": 1 / 3 + step, "step": float(step)}, step)
        session.log_row({"loss": math.nan, "gain": math.inf}, 3)
        session.log_row({"gain": -math.inf})
        session.log_row({"gain": 5e-324})
    return session.run_id
