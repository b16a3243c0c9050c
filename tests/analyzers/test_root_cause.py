"""One alert for one cause, and the scores that follow from alerts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from quark.analyzers.evidence import RunEvidence
from quark.analyzers.findings import Finding, grade
from quark.analyzers.health import health_scores, status_of
from quark.analyzers.judge import judge
from quark.analyzers.root_cause import Diagnosis, diagnose
from quark.analyzers.rule import Rule
from quark.analyzers.thresholds import AnalyzerThresholds


def silent(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    yield from ()


def rule(rule_id: str, *explains: str, category: str = "optimization") -> Rule:
    return Rule(rule_id=rule_id, category=category, title=rule_id, check=silent, explains=explains)


def finding(
    rule_id: str, severity: str = "warning", steps: tuple[int, int] | None = None, subject: str = ""
) -> Finding:
    return Finding(
        rule_id=rule_id,
        severity=severity,
        fact=f"{rule_id} was seen.",
        inference="So.",
        step_range=steps,
        subject=subject,
    )


RULES = {
    one.rule_id: one
    for one in (
        rule("rate", "spike", "nan"),
        rule("spike", "nan", "loss"),
        rule("nan", "loss"),
        rule("loss", "rate"),
        rule("gap", category="generalization"),
    )
}


def shown(diagnoses: tuple[Diagnosis, ...]) -> list[tuple[str, str, list[str]]]:
    return [
        (one.finding.rule_id, one.severity, [below.rule_id for below in one.consequences])
        for one in diagnoses
    ]


def test_a_chain_of_causes_is_one_alert_with_the_worst_severity_of_all() -> None:
    found = [
        finding("loss", "error", (50, 90)),
        finding("nan", "critical", (40, 90)),
        finding("spike", "warning", (20, 25)),
        finding("rate", "warning", (0, 90)),
    ]

    assert shown(diagnose(found, RULES)) == [("rate", "critical", ["spike", "nan", "loss"])]


@pytest.mark.parametrize(
    ("found", "alerts"),
    [
        pytest.param(
            [finding("gap"), finding("nan")],
            [("nan", "warning", []), ("gap", "warning", [])],
            id="nothing-in-common",
        ),
        pytest.param(
            [finding("spike", steps=(500, 510)), finding("nan", steps=(100, 110))],
            [("nan", "warning", []), ("spike", "warning", [])],
            id="the-cause-came-later",
        ),
        pytest.param(
            [finding("spike", steps=(105, 110)), finding("nan", steps=(100, 110))],
            [("spike", "warning", ["nan"])],
            id="a-little-later-is-the-distance-of-probes",
        ),
        pytest.param(
            [finding("spike", "info"), finding("nan", "error")],
            [("nan", "error", []), ("spike", "info", [])],
            id="what-is-only-worth-knowing-explains-no-error",
        ),
        pytest.param(
            [finding("spike", "info"), finding("nan", "info")],
            [("spike", "info", ["nan"])],
            id="but-another-thing-worth-knowing",
        ),
        pytest.param(
            [finding("loss"), finding("rate")],
            [("loss", "warning", ["rate"])],
            id="against-the-order-of-the-rules",
        ),
        pytest.param(
            [finding("nan", "warning", (30, 40), "a"), finding("nan", "error", (60, 70), "b")],
            [("nan", "error", ["nan"])],
            id="several-subjects-of-one-rule",
        ),
        pytest.param([], [], id="nothing"),
    ],
)
def test_findings_are_put_under_their_causes(
    found: list[Finding], alerts: list[tuple[str, str, list[str]]]
) -> None:
    assert shown(diagnose(found, RULES, last_step=100)) == alerts


def test_rules_that_explain_each_other_in_a_circle_leave_one_alert() -> None:
    found = [finding(rule_id) for rule_id in ("loss", "nan", "spike", "rate")]

    assert shown(diagnose(found, RULES)) == [("rate", "warning", ["spike", "nan", "loss"])]


def test_the_worst_comes_first_and_then_the_earliest() -> None:
    rules = {name: rule(name) for name in "abcd"}
    found = [
        finding("a", "warning", (50, 60)),
        finding("b", "info", (0, 1)),
        finding("c", "error", (90, 95)),
        finding("d", "warning", (10, 60)),
    ]

    assert [one.finding.rule_id for one in diagnose(found, rules)] == ["c", "d", "a", "b"]


# -- scores ----------------------------------------------------------------------------------------


def scored(*found: Finding) -> dict[str, tuple[float, str, tuple[int, ...]]]:
    scores = health_scores(diagnose(found, RULES))
    return {one.score_key: (one.score, one.status, one.contributors) for one in scores}


def test_a_run_without_findings_is_healthy_everywhere() -> None:
    assert set(scored().values()) == {(100.0, "healthy", ())}
    assert list(scored()) == [
        *("overall", "optimization", "representation", "generalization", "runtime"),
    ]


@pytest.mark.parametrize(
    ("severity", "status"),
    [("info", "healthy"), ("warning", "watch"), ("error", "degraded"), ("critical", "critical")],
)
def test_one_alert_decides_the_status_of_its_category_alone(severity: str, status: str) -> None:
    scores = scored(finding("gap", severity))

    assert scores["generalization"][1] == status
    assert scores["generalization"][2] == (() if severity == "info" else (0,))
    assert scores["optimization"] == (100.0, "healthy", ())
    assert scores["overall"][0] <= 100.0


def test_scores_stay_within_0_and_100_and_fall_with_every_alert() -> None:
    some = {name: rule(name) for name in "abcdefgh"}
    scores = []
    for count in range(len(some) + 1):
        found = [finding(name, "critical") for name in list(some)[:count]]
        scores.append(health_scores(diagnose(found, some))[0].score)

    assert scores[0] == 100.0
    assert all(0.0 <= after <= before for before, after in pairwise(scores))
    assert status_of(scores[-1]) == "critical"


# -- judging ---------------------------------------------------------------------------------------


def test_a_rule_that_fails_says_nothing_and_the_others_go_on() -> None:
    def fails(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
        yield finding("first")
        raise ZeroDivisionError("rule")

    def speaks(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
        yield finding("second")

    rules = [
        Rule(rule_id="first", category="runtime", title="", check=fails),
        Rule(rule_id="second", category="runtime", title="", check=speaks),
        Rule(rule_id="third", category="runtime", title="", check=speaks, at_end_only=True),
    ]
    told: list[tuple[str, str]] = []

    def note(rule_id: str, error: Exception) -> None:
        told.append((rule_id, str(error)))

    everything = judge(RunEvidence(), AnalyzerThresholds(), rules=rules, on_fault=note)
    live = judge(RunEvidence(), AnalyzerThresholds(), rules=rules, on_fault=note, live=True)

    assert [one.rule_id for one in everything] == ["first", "second", "second"]
    assert len(live) == 2
    assert told == [("first", "rule")] * 2
    with pytest.raises(ZeroDivisionError):
        judge(RunEvidence(), AnalyzerThresholds(), rules=rules)


@pytest.mark.parametrize(
    ("observed", "levels", "expected"),
    [
        (9.99, {"warning": 10.0, "error": 25.0}, None),
        (10.0, {"warning": 10.0, "error": 25.0}, ("warning", 10.0)),
        (25.0, {"warning": 10.0, "error": 25.0}, ("error", 25.0)),
        (1e9, {"warning": 10.0, "error": 25.0}, ("error", 25.0)),
        (10.0, {"warning": 10.0, "above": True}, None),
        (0.05, {"warning": 0.05, "critical": 0.001, "falling": True}, ("warning", 0.05)),
        (0.0, {"warning": 0.05, "critical": 0.001, "falling": True}, ("critical", 0.001)),
        (0.051, {"warning": 0.05, "falling": True}, None),
        (float("nan"), {"warning": 0.0}, None),
        (float("inf"), {"warning": 1.0, "critical": 2.0}, ("critical", 2.0)),
    ],
)
def test_grades(observed: float, levels: dict[str, float], expected: object) -> None:
    assert grade(observed, **levels) == expected  # type: ignore[arg-type]
