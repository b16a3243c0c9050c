"""The fault benchmark: what it counts, and that it counts real trainings."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.options import KNOWN
from benchmarks.faults.report import render, targets
from benchmarks.faults.scoring import (
    category_accuracy,
    punctual,
    recall,
    score_faults,
    score_healthy,
    score_rules,
)
from benchmarks.faults.verdicts import Said, Verdict
from quark.schema.words import ALERT_CATEGORIES

LR_ZERO, OVERFLOW = FAULTS["lr_zero"], FAULTS["overflow"]


def said(rule_id: str, severity: str = "warning", **more: Any) -> Said:
    return replace(Said(rule_id=rule_id, severity=severity, category="optimization"), **more)


def verdict(label: str, *alerts: Said, arm: str = "watch", **more: Any) -> Verdict:
    plain = Verdict(
        run_id=f"{label}-run",
        label=label,
        task="digits-mlp",
        seed=0,
        half="held-out",
        arm=arm,
        steps=400,
        alerts=alerts,
    )
    return replace(plain, **more)


def test_a_fault_is_found_by_an_alert_or_by_what_is_listed_under_one() -> None:
    rate, flat = said("learning_rate_zero"), said("loss_not_decreasing")
    other = said("slow_start", category="runtime")
    found = [
        verdict("lr_zero", rate, other),
        verdict("lr_zero", replace(other, consequences=(flat,))),
    ]
    missed = [
        verdict("lr_zero"),
        verdict("lr_zero", other),
        verdict("lr_zero", replace(rate, severity="info")),
        verdict("lr_zero", replace(other, consequences=(replace(flat, severity="info"),))),
        verdict("lr_zero", replace(other, severity="info", consequences=(flat,))),
    ]

    (score,) = score_faults(FAULTS, [*found, *missed])

    assert (score.found, score.run_count) == (2, 7)
    assert score.recall == 2 / 7
    assert (score.right_alerts, score.alert_count) == (2, 5)
    assert (score.first_named, score.first_category) == (1, 1)
    assert score.confusion == {"learning_rate_zero": 1, "slow_start": 3, "(nothing)": 3}


def test_recall_leaves_out_what_metrics_cannot_show() -> None:
    by_watch_only = next(one for one in FAULTS.values() if not one.by_metrics)
    verdicts = [
        verdict("lr_zero", said("learning_rate_zero"), arm="metrics"),
        verdict(by_watch_only.name, arm="metrics"),
        verdict(by_watch_only.name, arm="watch"),
    ]

    scores = score_faults(FAULTS, verdicts)

    assert recall(scores, "metrics") == category_accuracy(scores, "metrics") == 1.0
    assert recall(scores, "watch") == 0.0


def test_alarms_are_counted_by_what_the_run_was() -> None:
    alarm = said("loss_spike")
    verdicts = [
        verdict("healthy", alarm, said("slow_start")),
        verdict("healthy", replace(alarm, severity="info")),
        verdict("lr_zero", said("learning_rate_zero"), alarm),
        verdict("overflow", alarm),
    ]

    healthy = score_healthy("watch", verdicts)
    rules = {one.rule_id: one for one in score_rules(FAULTS, verdicts)}

    assert (healthy.run_count, healthy.alarmed_runs, healthy.alarm_count) == (2, 1, 2)
    assert healthy.alarms_per_run == 1.0
    spike, rate = rules["loss_spike"], rules["learning_rate_zero"]
    assert (spike.right, spike.beside, spike.false_alarms, spike.precision) == (0, 2, 1, 0.0)
    assert (rate.right, rate.named, rate.could_name, rate.precision) == (1, 1, 1, 1.0)


@pytest.mark.parametrize(
    ("onset", "in_time"),
    [(200, 1), (204, 1), (205, 0), (199, 0), (None, 0)],
    ids=["at once", "one percent", "too late", "before it was there", "without a step"],
)
def test_numerical_faults_have_one_percent_of_the_run(onset: int | None, in_time: int) -> None:
    seen = verdict("overflow", said("non_finite_values", onset_step=onset), onset_step=200)
    other = verdict("lr_zero", said("learning_rate_zero", onset_step=0))

    assert OVERFLOW.numerical
    assert not LR_ZERO.numerical
    assert punctual(FAULTS, [seen, other]) == (in_time, 1)


def test_a_target_is_met_by_figures_alone() -> None:
    good = [verdict("overflow", said("non_finite_values", onset_step=0)) for _ in range(20)]
    healthy = [verdict("healthy") for _ in range(60)]
    cases = {
        "faults found, watch arm": verdict("lr_zero"),
        "false alarms on healthy runs, watch arm": verdict(
            "healthy", *[said("loss_spike", subject=str(n)) for n in range(4)]
        ),
        "numerical faults seen within 1 % of the run": verdict(
            "overflow", said("non_finite_values", onset_step=50)
        ),
    }

    for what, worse in cases.items():
        for copies, expected in ((0, True), (2, False)):
            verdicts = [*good, *healthy, *[worse] * copies]
            found = {one.what: one for one in targets(verdicts, score_faults(FAULTS, verdicts))}
            assert found[what].is_met is expected, what
            row = next(line for line in render(verdicts).splitlines() if what in line)
            assert ("**NOT met**" in row) is not expected
    few = [*good, *healthy[:59]]
    found = {one.what: one for one in targets(few, score_faults(FAULTS, few))}
    assert not found["false alarms on healthy runs, watch arm"].is_met


def test_every_fault_is_possible_and_can_be_found() -> None:
    tasks = {task for fault in FAULTS.values() for task in fault.tasks}
    for fault in FAULTS.values():
        assert set(ALERT_CATEGORIES) > set(fault.categories) > set()
        assert fault.rules
        assert {*fault.switches, *(key for one in fault.by_task.values() for key in one)} <= KNOWN
        assert tasks >= set(fault.by_task)


def test_real_trainings_are_kept_and_judged(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREE_RUNS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    verdicts = {one["label"]: one for one in json.loads(done.stdout.splitlines()[-1])}
    assert [len(one["rule_faults"]) for one in verdicts.values()] == [0, 0, 0]
    assert named(verdicts["healthy"]) == set()
    assert named(verdicts["overflow"]) & set(OVERFLOW.rules)
    assert named(verdicts["lr_zero"]) & set(LR_ZERO.rules)
    assert verdicts["overflow"]["onset_step"] in (40, 41)  # rows of validation come between


def named(one: dict[str, object]) -> set[str]:
    alerts = one["alerts"]
    assert isinstance(alerts, list)
    serious = [alert for alert in alerts if alert["severity"] != "info"]
    return {said["rule_id"] for alert in serious for said in (alert, *alert["consequences"])}


THREE_RUNS = """
import json, sys
from pathlib import Path
from typing import Any
from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.judging import judge_all
from benchmarks.faults.options import Plan
from benchmarks.faults.runner import collect

folder = Path(sys.argv[1])
runs = {"healthy": {}, "overflow": FAULTS["overflow"].switches, "lr_zero": {"lr_factor": 0}}
plans = [
    Plan(
        label=label, variant="", task="digits-mlp", seed=0, half="tune", arm="watch",
        options={**switches, "steps": 80 if label == "overflow" else 130},
    )
    for label, switches in runs.items()
]
assert collect(plans, folder) == []
assert collect(plans, folder) == []  # what is there is not trained again
found = judge_all(folder, ("tune",), ("watch",), workers=1)
print(json.dumps([one.to_dict() for one in found]))
"""
