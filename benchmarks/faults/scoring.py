"""From verdicts to recall, precision, root causes, false alarms and delays. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.faults.fault import Fault
from benchmarks.faults.verdicts import Said, Verdict

HEALTHY = "healthy"
NOTHING = "(nothing)"
#: A run is hurt if its loss is so many times that of healthy ones.
HURT_RATIO = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultScore:
    """How one fault fared in one arm. ``counts`` is whether it is part of that arm's recall.

    ``first_named`` counts runs whose first alert names the fault itself, ``first_category`` those
    whose first alert is in the right category. ``right_alerts`` of ``alert_count`` alerts name it.
    Delays are in rows after the injection.
    """

    fault: str
    family: str
    arm: str
    counts: bool
    run_count: int
    found: int
    first_named: int
    first_category: int
    right_alerts: int
    alert_count: int
    median_delay: float | None
    confusion: Mapping[str, int]

    @property
    def recall(self) -> float:
        return self.found / self.run_count

    @property
    def precision(self) -> float | None:
        return self.right_alerts / self.alert_count if self.alert_count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleScore:
    """What became of one rule's alerts: they named a fault, missed it, or no fault was there.

    ``could_name`` is how many faulty runs the rule might have named.
    """

    rule_id: str
    right: int
    beside: int
    false_alarms: int
    could_name: int
    named: int

    @property
    def precision(self) -> float | None:
        total = self.right + self.beside + self.false_alarms
        return self.right / total if total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyScore:
    """False alarms on healthy runs of one arm."""

    arm: str
    run_count: int
    alarmed_runs: int
    alarm_count: int

    @property
    def alarms_per_run(self) -> float:
        return self.alarm_count / self.run_count if self.run_count else 0.0


def names(fault: Fault, verdict: Verdict) -> tuple[Said, ...]:
    """Return what was said of the run that names the fault's cause or a direct symptom."""
    return tuple(one for one in verdict.named if one.rule_id in fault.rules)


def names_in(fault: Fault, alert: Said) -> bool:
    """Say whether an alert, or something serious listed under it, names the fault."""
    below = (one for one in alert.consequences if one.is_serious)
    return any(one.rule_id in fault.rules for one in (alert, *below))


def delay(fault: Fault, verdict: Verdict) -> float | None:
    """Return how many rows after the injection the first thing that names the fault was seen."""
    onsets = [one.onset_step for one in names(fault, verdict) if one.onset_step is not None]
    if not onsets:
        return None
    return float(min(onsets) - (verdict.onset_step or 0))


def score_fault(fault: Fault, arm: str, verdicts: Sequence[Verdict]) -> FaultScore:
    """Score one fault by its runs in one arm."""
    firsts = [verdict.serious[0] if verdict.serious else None for verdict in verdicts]
    alerts = [alert for verdict in verdicts for alert in verdict.serious]
    delays = [d for verdict in verdicts if (d := delay(fault, verdict)) is not None]
    return FaultScore(
        fault=fault.name,
        family=fault.family,
        arm=arm,
        counts=arm == "watch" or fault.by_metrics,
        run_count=len(verdicts),
        found=sum(bool(names(fault, verdict)) for verdict in verdicts),
        first_named=sum(first is not None and first.rule_id in fault.rules for first in firsts),
        first_category=sum(
            first is not None and first.category in fault.categories for first in firsts
        ),
        right_alerts=sum(names_in(fault, alert) for alert in alerts),
        alert_count=len(alerts),
        median_delay=median(delays) if delays else None,
        confusion=Counter(NOTHING if one is None else one.rule_id for one in firsts),
    )


def score_faults(faults: Mapping[str, Fault], verdicts: Sequence[Verdict]) -> list[FaultScore]:
    """Score every fault in every arm in which it was tried."""
    arms = sorted({verdict.arm for verdict in verdicts})
    found = []
    for fault in faults.values():
        for arm in arms:
            mine = [one for one in verdicts if one.label == fault.name and one.arm == arm]
            if mine:
                found.append(score_fault(fault, arm, mine))
    return found


def score_rules(faults: Mapping[str, Fault], verdicts: Sequence[Verdict]) -> list[RuleScore]:
    """Score every rule that spoke or should have."""
    right, beside, false, could, did = (Counter[str]() for _ in range(5))
    for verdict in verdicts:
        fault = faults.get(verdict.label)
        for alert in verdict.serious:
            if fault is None:
                false[alert.rule_id] += 1
            elif names_in(fault, alert):
                right[alert.rule_id] += 1
            else:
                beside[alert.rule_id] += 1
        if fault is not None:
            could.update(fault.rules)
            did.update({one.rule_id for one in names(fault, verdict)})
    return [
        RuleScore(
            rule_id=rule_id,
            right=right[rule_id],
            beside=beside[rule_id],
            false_alarms=false[rule_id],
            could_name=could[rule_id],
            named=did[rule_id],
        )
        for rule_id in sorted({*right, *beside, *false, *could})
    ]


def score_healthy(arm: str, verdicts: Sequence[Verdict]) -> HealthyScore:
    """Count the false alarms of one arm."""
    mine = [one for one in verdicts if one.label == HEALTHY and one.arm == arm]
    return HealthyScore(
        arm=arm,
        run_count=len(mine),
        alarmed_runs=sum(bool(one.serious) for one in mine),
        alarm_count=sum(len(one.serious) for one in mine),
    )


def healthy_levels(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Return by task the loss on validation data that a healthy run ends with, in the median."""
    tasks = {one.task for one in verdicts}
    found = {}
    for task in tasks:
        mine = [one.val_loss for one in verdicts if one.label == HEALTHY and one.task == task]
        if mine:
            found[task] = median(mine)
    return found


def is_hurt(verdict: Verdict, levels: Mapping[str, float]) -> bool:
    """Say whether a run ended clearly worse than healthy ones of its task, or not at all."""
    level = levels.get(verdict.task)
    return level is None or not verdict.val_loss <= HURT_RATIO * level


def recall(scores: Sequence[FaultScore], arm: str) -> float:
    """Return the share of an arm's runs whose fault was found, of faults that count there."""
    mine = [one for one in scores if one.arm == arm and one.counts]
    total = sum(one.run_count for one in mine)
    return sum(one.found for one in mine) / total if total else 0.0


def category_accuracy(scores: Sequence[FaultScore], arm: str) -> float:
    """Return the share of the same runs whose first alert is in the right category."""
    mine = [one for one in scores if one.arm == arm and one.counts]
    total = sum(one.run_count for one in mine)
    return sum(one.first_category for one in mine) / total if total else 0.0


def precision(scores: Sequence[FaultScore], healthy: HealthyScore) -> float | None:
    """Return the share of an arm's alerts, on broken and healthy runs, that name what is wrong."""
    mine = [one for one in scores if one.arm == healthy.arm]
    total = sum(one.alert_count for one in mine) + healthy.alarm_count
    return sum(one.right_alerts for one in mine) / total if total else None


def first_alert_accuracy(scores: Sequence[FaultScore], arm: str) -> float:
    """Return the share of the runs that count whose first alert names the fault by itself."""
    mine = [one for one in scores if one.arm == arm and one.counts]
    total = sum(one.run_count for one in mine)
    return sum(one.first_named for one in mine) / total if total else 0.0


def punctual(
    faults: Mapping[str, Fault], verdicts: Sequence[Verdict], share: float = 0.01
) -> tuple[int, int]:
    """Return how many numerical faults were seen within ``share`` of the run, and how many there
    were."""
    tried = [one for one in verdicts if one.label in faults and faults[one.label].numerical]
    in_time = 0
    for verdict in tried:
        late = delay(faults[verdict.label], verdict)
        in_time += late is not None and 0 <= late <= share * verdict.steps
    return in_time, len(tried)
