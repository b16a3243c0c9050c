"""``quark alerts``: what the analyzers say against runs."""

from __future__ import annotations

import math

from quark import TrainingSession
from tests.support.cli import json_of
from tests.support.cli_inside import called
from tests.support.cli_runs import kept, trained
from tests.support.over_service import place, running

__all__ = ["kept", "place", "running"]


def test_alerts_are_listed_the_worst_first(kept: str) -> None:
    fine = trained()
    with TrainingSession.start_run(project="broken") as session:
        for step in range(60):
            session.log_row({"train/loss": 0.5 if step < 30 else math.nan}, step)
    bad = session.run_id

    found = json_of(called("alerts", "ls", bad, "--json"))
    assert "non_finite_values" in [one["rule_id"] for one in found]
    order = ["info", "warning", "error", "critical"]
    ranks = [order.index(one["severity"]) for one in found]
    assert ranks == sorted(ranks, reverse=True)
    assert json_of(called("alerts", "ls", "--project", "broken", "--json")) == found
    worst = json_of(called("alerts", "ls", bad, "--severity", "critical", "--json"))
    assert worst == [one for one in found if one["severity"] == "critical"]
    assert found[0]["title"] in called("alerts", "ls", "--project", "broken").ok().out
    assert "No alerts" in called("alerts", "ls", fine).ok().err
    for words in ((), (fine, "--project", "broken"), ("--project", "none")):
        assert called("alerts", "ls", *words).code == 1
