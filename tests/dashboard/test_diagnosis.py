"""The view of what was found in a run: the report's words, the evidence, judging from a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quark import AnalyzerEngine, DataDiagnostics, MetricsLogger, TrainingSession, jsonio
from quark.analyzers.rules import BY_ID
from quark.dashboard import judging
from quark.dashboard.asked import Asked
from quark.dashboard.judging import ChildJudge
from quark.dashboard.views import diagnosis as views
from quark.dashboard.views.evidence_plans import PLANS, WORDS
from quark.errors import (
    PermissionDeniedError,
    RunNotFoundError,
    SchemaValidationError,
    SessionStoreError,
)
from quark.records import AlertRecord, LayerSummaryRecord
from quark.session.reading import load_context
from quark.settings import Settings
from quark.storage.embedded import EmbeddedStore
from quark.storage.memory import MemoryStore
from tests.dashboard.asking import ask, place_of
from tests.dashboard.trained import train_dead_network


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedStore, str]]:
    folder = tmp_path_factory.mktemp("dead")
    run_id = train_dead_network(folder)
    store = EmbeddedStore(folder / ".quark")
    yield store, run_id
    store.close()


@pytest.fixture
def unjudged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[EmbeddedStore, str]]:
    monkeypatch.setenv("QUARK_REPORT", "0")
    monkeypatch.setenv("QUARK_LIVE_RULES", "0")
    with (
        TrainingSession.start_run(project="unjudged", storage_dir=tmp_path) as session,
        MetricsLogger(session) as metrics,
    ):
        for step in range(300):
            metrics.log("train/loss", 2.3 / (1 + step / 50), step=step)
            if step % 30 == 29:
                loss = 2.3 / (1 + min(step, 120) / 50) + step / 300
                metrics.log("val/loss", loss, step=step)
    store = EmbeddedStore(tmp_path / ".quark")
    yield store, session.run_id
    store.close()


def diagnosis(store: Any, run_id: str) -> dict[str, Any]:
    return ask(store, "/runs/{run_id}/diagnosis", {"run_id": run_id})


def evidence(store: Any, run_id: str, alert: str) -> list[dict[str, Any]]:
    charts = ask(store, "/runs/{run_id}/evidence", {"run_id": run_id}, alert=alert)["charts"]
    assert isinstance(charts, list)
    return charts


def test_a_diagnosis_says_what_the_report_says(dead: tuple[EmbeddedStore, str]) -> None:
    store, run_id = dead
    folder = store.run_dir(run_id)
    assert folder is not None
    report = jsonio.loads((folder / "report.json").read_bytes())

    found = diagnosis(store, run_id)

    assert [found[name] for name in ("judged", "is_judging", "may_judge")] == [True, False, True]
    assert [one["rule_id"] for one in found["alerts"]] == [
        one["rule_id"] for one in report["alerts"]
    ]
    for shown, told in zip(found["alerts"], report["alerts"], strict=True):
        for name in ("id", "title", "severity", "fact", "inference", "step_start", "step_end"):
            assert shown[name] == told[name]
        assert shown["advice"] == told["metadata"]["advice"]
        assert shown["consequence_count"] == len(told["metadata"]["consequences"])
        assert all(one["title"] for one in shown["consequences"])
    assert [
        (one["key"], one["score"], one["status"], one["summary"]) for one in found["scores"]
    ] == [
        (one["score_key"], one["score"], one["status"], one["summary"])
        for one in report["health_scores"]
    ]
    assert [one["summary"] for one in found["phases"]] == [
        one["summary"] for one in report["phases"]
    ]
    assert found["roles"]["train_loss"] == ["train/loss"]
    assert [one["scores"]["overall"] for one in found["history"]] == [found["scores"][0]["score"]]


def test_what_alerts_take_away_adds_up_to_the_scores(dead: tuple[EmbeddedStore, str]) -> None:
    store, run_id = dead
    found = diagnosis(store, run_id)
    penalties = found["penalties"]

    for score in found["scores"][1:]:
        taken = sorted(
            (penalties[one["severity"]] for one in found["alerts"] if one["id"] in score["alerts"]),
            reverse=True,
        )
        lost = sum(taken[:1]) + penalties["further_share"] * sum(taken[1:])
        assert score["score"] == max(0.0, 100.0 - lost)


def test_evidence_draws_the_layer_that_died_and_marks_its_steps(
    dead: tuple[EmbeddedStore, str],
) -> None:
    store, run_id = dead
    alert = next(
        one for one in diagnosis(store, run_id)["alerts"] if one["rule_id"] == "activation_collapse"
    )

    charts = evidence(store, run_id, alert["id"])

    records = [
        one
        for one in store.records.read(LayerSummaryRecord, run_id)
        if one.module_name == "3" and one.summary_type == "activation"
    ]
    first = charts[0]
    assert first["link"] == {"kind": "layer", "name": "3"}
    assert first["series"][0]["x"] == [one.step for one in records]
    assert first["series"][0]["y"] == [one.dead_unit_ratio for one in records]
    assert (first["from"], first["to"]) == (alert["step_start"], alert["step_end"])
    assert first["threshold"] == alert["evidence"][0]["threshold_value"]
    (loss,) = (one for one in charts if one["title"] == "train/loss")
    assert loss["series"][0]["y"] == store.points.series(run_id, "train/loss").value.tolist()
    assert len({one["title"] for one in charts}) == len(charts)


def test_an_alert_that_does_not_count_any_more_is_said_so(dead: tuple[EmbeddedStore, str]) -> None:
    store, run_id = dead

    with pytest.raises(SchemaValidationError, match="judged anew"):
        evidence(store, run_id, "nothing-1")


def test_every_rule_has_its_charts_and_its_words() -> None:
    assert set(PLANS) == set(BY_ID)
    for plan in PLANS.values():
        fields = [plan.layer, plan.parameter, *plan.batch]
        fields += [name for group in (*plan.loop, *plan.telemetry) for name in group]
        assert set(fields) <= set(WORDS)
    for rule_id in BY_ID:
        words = " ".join(views.rule_words(rule_id))
        assert len(words) > 80
        assert not any(mark in words for mark in ("``", ":class:"))
    assert views.rule_words("os") == []


def test_a_run_is_judged_from_a_page_as_it_would_judge_itself(
    unjudged: tuple[EmbeddedStore, str], tmp_path: Path
) -> None:
    store, run_id = unjudged
    before = diagnosis(store, run_id)

    outcome = views.judge(place_of(store), Asked({"run_id": run_id}))

    after = diagnosis(store, run_id)
    assert (before["judged"], before["alerts"], before["history"]) == (False, [], [])
    assert (after["judged"], outcome["faults"]) == (True, {})
    assert outcome["alerts"]["alert_count"] == len(after["alerts"]) > 0
    assert [one["name"] for one in after["phases"]] == outcome["phases"]["phases"]
    context = load_context(run_id, Settings.load(storage_dir=tmp_path))
    again = AnalyzerEngine(context).analyze()
    assert [(one.rule_id, one.fact, one.severity) for one in again.alerts] == [
        (one["rule_id"], one["fact"], one["severity"]) for one in after["alerts"]
    ]
    assert len(diagnosis(store, run_id)["history"]) == 2
    (overfitting,) = (one for one in after["alerts"] if one["rule_id"] == "overfitting_onset")
    with pytest.raises(SchemaValidationError):  # the second judgement took its place
        evidence(store, run_id, overfitting["id"])
    now = diagnosis(store, run_id)["alerts"][0]
    titles = [one["title"] for one in evidence(store, run_id, now["id"])]
    assert {"train/loss", "val/loss"} <= set(titles)


def test_judging_has_bounds(
    unjudged: tuple[EmbeddedStore, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, run_id = unjudged
    judge = ChildJudge(store)

    with pytest.raises(RunNotFoundError):
        judge.judge("no-such-run")
    with pytest.raises(SessionStoreError, match=r"longer than 0\.001 s"):
        ChildJudge(store, timeout_seconds=0.001).judge(run_id)
    monkeypatch.setattr(judging, "_judged", {(store.target, run_id)})
    assert judge.is_judging(run_id)
    with pytest.raises(SessionStoreError, match="being judged already"):
        judge.judge(run_id)
    monkeypatch.setattr(judging, "_judged", {("a", "a"), ("b", "b")})
    with pytest.raises(SessionStoreError, match="as many as"):
        judge.judge(run_id)
    with pytest.raises(SessionStoreError, match="not judged from here"):
        ChildJudge(MemoryStore()).judge(run_id)
    assert not diagnosis(store, run_id)["judged"]


def test_a_service_without_a_judge_of_its_own_starts_no_processes(
    unjudged: tuple[EmbeddedStore, str],
) -> None:
    store, run_id = unjudged
    place = replace(place_of(store), kind="service")

    assert not views.diagnosis(place, Asked({"run_id": run_id}))["may_judge"]
    with pytest.raises(PermissionDeniedError):
        views.judge(place, Asked({"run_id": run_id}))


def test_alerts_of_other_programs_may_hold_anything(tmp_path: Path) -> None:
    odd: dict[str, Any] = {
        "onset_step": [1],
        "own_severity": {},
        "consequence_count": "many",
        "advice": "no list",
        "consequences": [1, {"rule_id": ["x"]}],
        "subject": 3,
    }
    with TrainingSession.start_run(project="odd", storage_dir=tmp_path) as session:
        session.handle.emit(
            AlertRecord,
            rule_id="../../os",
            category="optimization",
            severity="error",
            title="<script>",
            summary="",
            fact="<b>fact</b>",
            inference="",
            metadata=odd,
        )
    store = EmbeddedStore(tmp_path / ".quark")

    (alert,) = diagnosis(store, session.run_id)["alerts"]
    charts = evidence(store, session.run_id, alert["id"])

    assert (alert["title"], alert["advice"], alert["rule_words"]) == ("<script>", [], [])
    assert charts == []
    store.close()


def test_accounts_count_batches_and_what_is_not_finite(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    labels = [chance.integers(0, 3, 4).tolist() for _ in range(10)]
    with TrainingSession.start_run(project="data", storage_dir=tmp_path) as session:
        with DataDiagnostics(session) as batches:
            for step, one in enumerate(labels):
                batches.log_batch(1.0, step=step, labels=one, sequence_lengths=[2, 4, 4, 4])
        for step in range(20):
            session.log_row({"loss": float("nan") if step > 15 else 1.0}, step)
    store = EmbeddedStore(tmp_path / ".quark")

    found = ask(store, "/runs/{run_id}/accounts", {"run_id": session.run_id})

    counts = {str(name): sum(one.count(name) for one in labels) for name in range(3)}
    assert found["nonfinite"] == [{"key": "loss", "count": 4, "of": 20}]
    assert dict(found["batches"]["classes"]) == counts
    assert found["batches"]["count"] == 10
    assert found["batches"]["padding_ratio"] == pytest.approx(2 / 16)
    assert found["completeness"]["complete"]
    assert found["points"] == 20
    store.close()
