"""What live rules are made of, without a session: budget, evidence, news."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quark.analyzers.evidence_builder import EvidenceBuilder
from quark.analyzers.findings import Finding
from quark.analyzers.gather import run_facts
from quark.analyzers.root_cause import Diagnosis
from quark.errors import SchemaValidationError
from quark.live.budget import Budget, own_cpu_seconds
from quark.live.config import LiveConfig
from quark.live.evidence import MAX_BAD_POINTS, LiveEvidence
from quark.live.news import MAX_TOLD, News
from quark.live.trouble import bad_sources
from quark.records import RunRecord
from tests.live.building import batch_of, layer, rows, rule
from tests.support.clock import FakeClock

RUN = RunRecord(
    id="run_x", run_id="run_x", timestamp="", project_id="p", project_name="p", created_at=""
)


# -- the budget ----------------------------------------------------------------------------------


def test_a_budget_has_room_for_its_share_of_the_time_that_has_passed() -> None:
    clock, meter = FakeClock(), FakeClock()
    budget = Budget(0.01, clock, meter.monotonic)
    assert budget.has_room()
    assert not budget.has_room(0.001)

    clock.advance(10)
    with budget.spending():
        meter.advance(0.04)

    assert (budget.spent_seconds, budget.spent_share) == (0.04, 0.004)
    assert budget.has_room(0.06)
    assert not budget.has_room(0.0601)
    assert not budget.has_room(0.0101, of_share=0.5)


def test_what_is_spent_counts_also_if_it_fails_and_waiting_costs_nothing() -> None:
    budget = Budget(0.01)

    def fail() -> None:
        with budget.spending():
            np.linalg.norm(np.ones((300, 300)), 2)
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        fail()

    assert budget.spent_seconds > 0
    assert own_cpu_seconds() <= own_cpu_seconds()


@pytest.mark.parametrize(
    "change",
    [{"time_share": 0.0}, {"time_share": 1.1}, {"first_seconds": -1}, {"idle_seconds": np.nan}],
    ids=str,
)
def test_a_configuration_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SchemaValidationError, match=next(iter(change))):
        LiveConfig(**change)


# -- the evidence --------------------------------------------------------------------------------


def test_live_evidence_is_what_the_builder_makes_of_everything() -> None:
    random = np.random.default_rng(0)
    batches = [
        rows(
            {
                "train/loss": random.random(50).tolist(),
                "lr": [0.1] * 50,
                "gpu/3/clock": [1.0] * 49 + [np.inf if number == 2 else 1.0],
            },
            first=50 * number,
        )
        for number in range(4)
    ]
    batches += [batch_of(records=(layer(0), layer(0, "out"), layer(10), layer(10, "out")))]
    live, full = LiveEvidence(None, 0), EvidenceBuilder()
    for batch in batches:
        live.add(batch)
        for block in batch.blocks:
            full.add_block(block, 0)
        full.add_bodies(batch.records)

    seen = live.build(RUN)
    whole = full.build(run_facts(RUN, full, now_us=0))

    assert seen.roles == whole.roles
    for key in ("train/loss", "lr"):
        assert seen.metrics[key].value.tolist() == whole.metrics[key].value.tolist()
        assert seen.metrics[key].step.tolist() == list(range(200))
    assert seen.nonfinite_counts == whole.nonfinite_counts == {"gpu/3/clock": 1}
    assert len(seen.metrics["gpu/3/clock"]) == 50  # the batch with the infinity alone
    assert [track.step.tolist() for track in seen.activations] == [[0, 10], [0, 10]]
    assert seen.run.run_id == "run_x"


def test_a_long_wide_and_broken_run_is_held_in_bounded_memory() -> None:
    live = LiveEvidence(None, 0)
    wide = {f"layer_{place}/histogram_mean": [1.0] * 200 for place in range(300)}
    for number in range(300):
        loss = [1.0 if number < 150 else np.nan] * 200
        live.add(rows({**wide, "train/loss": loss}, first=200 * number))
        probes = [layer(200 * number + place) for place in range(0, 200, 20)]
        live.add(batch_of(records=tuple(probes)))

    evidence = live.build(RUN)

    assert list(evidence.metrics) == ["train/loss"]
    loss_values = evidence.metrics["train/loss"].value
    assert 10_000 < len(loss_values) <= 20_000
    bad = int(np.isnan(loss_values).sum())
    assert MAX_BAD_POINTS <= bad <= MAX_BAD_POINTS + 200  # of 30,000
    assert len(evidence.activations[0]) <= 1_000  # of 3,000


def test_probes_are_taken_whole_or_not_at_all_and_bad_ones_always() -> None:
    live = LiveEvidence(None, 0)
    allowed = iter([False, True, False, False])
    for step in range(4):
        bad = int(step == 3)
        records = (layer(step, "in"), layer(step, "out", nonfinite=bad))
        live.add(batch_of(records=records), lambda: next(allowed))

    tracks = {track.module_name: track.step.tolist() for track in live.build(RUN).activations}

    assert tracks == {"in": [0, 2], "out": [0, 2, 3]}
    assert live.skipped_probe_count == 2


def test_new_metrics_find_their_roles_whenever_they_come() -> None:
    live = LiveEvidence(None, 0)
    live.add(rows({"x": [1.0]}))
    live.add(rows({"train/loss": [2.0]}, first=1))
    live.add(rows({"x": [1.0], "val/loss": [3.0]}, first=2))

    evidence = live.build(RUN)

    assert sorted(evidence.metrics) == ["train/loss", "val/loss"]
    assert evidence.roles.key("val_loss") == "val/loss"


def test_what_is_not_finite_is_seen_before_it_is_judged() -> None:
    assert bad_sources(rows({"a": [1.0, 2.0], "b": [0.0, 1.0]})) == set()
    assert bad_sources(rows({"a": [1.0, np.nan], "b": [np.inf, 1.0], "c": [1, 1]})) == {"a", "b"}
    assert bad_sources(batch_of(records=(layer(0), layer(1, nonfinite=0)))) == set()
    assert bad_sources(batch_of(records=(layer(0), layer(1, nonfinite=3)))) == {"layer_summary"}
    event = layer(0)._replace(kind="event", body=b'{"event_type":"non_finite_metric"}')
    assert bad_sources(batch_of(records=(event,))) == {"event"}


# -- news ----------------------------------------------------------------------------------------


def diagnosis(
    rule_id: str, severity: str = "warning", subject: str = "", below: tuple[Finding, ...] = ()
) -> Diagnosis:
    finding = Finding(
        rule_id=rule_id, severity=severity, fact="F.", inference="I.", subject=subject
    )
    return Diagnosis(finding=finding, rule=rule(rule_id), severity=severity, consequences=below)


class Judgements:
    """News of judgements, each made when one more row has come."""

    def __init__(self) -> None:
        self.news = News()
        self.row_count = 0

    def of(
        self, *diagnoses: Diagnosis, in_part: bool = False, more_rows: int = 1
    ) -> list[tuple[str, str]]:
        self.row_count += more_rows
        found = self.news.take(diagnoses, self.row_count, in_part=in_part)
        return [(one.rule.rule_id, one.severity) for one in found]


def test_a_warning_is_news_when_it_is_there_for_the_second_time_and_then_no_more() -> None:
    news = Judgements()

    assert news.of(diagnosis("a")) == []
    assert news.of(diagnosis("a")) == [("a", "warning")]
    assert news.of(diagnosis("a")) == []
    assert news.of() == []
    assert news.of(diagnosis("a")) == []


def test_what_comes_and_goes_is_no_news() -> None:
    news = Judgements()

    for _ in range(5):
        assert news.of(diagnosis("a"), diagnosis("b", "info")) == []
        assert news.of() == []


def test_what_is_critical_is_told_at_once_and_what_gets_worse_once_more() -> None:
    news = Judgements()

    assert news.of(diagnosis("a", "critical"), diagnosis("b")) == [("a", "critical")]
    assert news.of(diagnosis("a", "critical"), diagnosis("b")) == [("b", "warning")]
    assert news.of(diagnosis("a", "warning"), diagnosis("b", "error")) == [("b", "error")]


def test_to_look_twice_at_the_same_rows_is_no_second_time() -> None:
    news = Judgements()

    assert news.of(diagnosis("a", "error"), in_part=True) == []
    assert news.of(diagnosis("a", "error"), more_rows=0) == []
    assert news.of(diagnosis("a", "error")) == [("a", "error")]


def test_a_judgement_of_some_rules_says_nothing_of_the_others() -> None:
    news = Judgements()

    assert news.of(diagnosis("a")) == []
    assert news.of(in_part=True) == []
    assert news.of(diagnosis("a")) == [("a", "warning")]


def test_a_consequence_of_what_was_told_is_not_told_when_its_cause_is_gone() -> None:
    news = Judgements()
    below = replace(diagnosis("b", "warning").finding)

    assert news.of(diagnosis("a", "critical", below=(below,))) == [("a", "critical")]
    assert news.of(diagnosis("b")) == []
    assert news.of(diagnosis("b")) == []
    assert news.of(diagnosis("b", "error")) == [("b", "error")]


def test_a_rule_that_finds_ever_new_subjects_is_heard_only_so_often() -> None:
    news = Judgements()

    heard = [news.of(diagnosis("a", "critical", f"layer {place}")) for place in range(20)]

    assert sum(map(len, heard)) == MAX_TOLD
