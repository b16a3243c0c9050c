"""``RESULTS.md``: what was measured, and whether it is what was promised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.scoring import (
    HEALTHY,
    HURT_RATIO,
    FaultScore,
    RuleScore,
    category_accuracy,
    first_alert_accuracy,
    healthy_levels,
    is_hurt,
    names,
    precision,
    punctual,
    recall,
    score_faults,
    score_healthy,
    score_rules,
)
from benchmarks.faults.verdicts import Verdict

ARM_WORDS = {
    "watch": "`wandb.watch(model, log='all', log_freq=10)` and metrics",
    "metrics": "metrics only",
}
TARGET_RECALL = {"watch": 0.95, "metrics": 0.80}
TARGET_CATEGORY = 0.70
TARGET_ALARMS_PER_RUN = 1 / 20
TARGET_HEALTHY_RUNS = 60
TARGET_IN_TIME = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A promise, what was measured, and whether that is enough."""

    what: str
    wanted: str
    measured: str
    is_met: bool


def targets(verdicts: Sequence[Verdict], scores: Sequence[FaultScore]) -> list[Target]:
    """Compare what was measured with what was promised."""
    found = []
    for arm in sorted({one.arm for one in verdicts}):
        value, wanted = recall(scores, arm), TARGET_RECALL[arm]
        found.append(
            _target(f"faults found, {arm} arm", f"≥ {wanted:.0%}", f"{value:.1%}", value >= wanted)
        )
        category = category_accuracy(scores, arm)
        found.append(
            _target(
                f"first alert in the right category, {arm} arm",
                f"≥ {TARGET_CATEGORY:.0%}",
                f"{category:.1%}",
                category >= TARGET_CATEGORY,
            )
        )
        healthy = score_healthy(arm, verdicts)
        found.append(
            _target(
                f"false alarms on healthy runs, {arm} arm",
                f"≤ 1 in 20 runs, over ≥ {TARGET_HEALTHY_RUNS} runs",
                f"{healthy.alarm_count} in {healthy.run_count} runs",
                healthy.alarms_per_run <= TARGET_ALARMS_PER_RUN
                and healthy.run_count >= TARGET_HEALTHY_RUNS,
            )
        )
    in_time, tried = punctual(FAULTS, verdicts)
    found.append(
        _target(
            "numerical faults seen within 1 % of the run",
            f"≥ {TARGET_IN_TIME:.0%}",
            f"{in_time} of {tried}",
            bool(tried) and in_time >= TARGET_IN_TIME * tried,
        )
    )
    return found


def _target(what: str, wanted: str, measured: str, is_met: bool) -> Target:
    return Target(what=what, wanted=wanted, measured=measured, is_met=is_met)


def render(
    verdicts: Sequence[Verdict],
    overhead: Mapping[str, float] | None = None,
    *,
    training_seconds: float = 0.0,
) -> str:
    """Return the whole report; what was held out comes first."""
    parts = [HEAD]
    for half in ("held-out", "tune"):
        mine = [one for one in verdicts if one.half == half]
        if mine:
            parts.append(_half(half, mine))
    if overhead:
        rows = [(arm, f"{ratio:+.1%}") for arm, ratio in overhead.items()]
        parts.append(
            "## Overhead\n\nAdded to the training loops of the plain healthy runs, medians of "
            "runs that took turns. These steps take 0.3 to 7 ms, and a whole run 0.1 to 3 s, so "
            "that what happens once a run weighs heavily.\n\n"
            + table(("arm", "added to the loop"), rows)
        )
    judged = sorted(one.judged_seconds for one in verdicts)
    if judged:
        middle = judged[len(judged) // 2]
        parts.append(
            f"Judging one run took {1000 * middle:.0f} ms (median, reading included). "
            f"{len(verdicts)} runs were trained in {training_seconds / 60:.0f} minutes."
        )
    return "\n\n".join(parts) + "\n"


HEAD = """# Faults found, and false alarms

Written by `make bench-faults`; see `benchmarks/faults/README.md` for how. A fault counts as found
when an alert of severity warning or worse, or a finding of such severity that is listed under one,
has a rule id that `catalogue.py` declares for the fault. A false alarm is an alert of warning or
worse on a healthy run. Thresholds were tuned on the *tune* half only; the *held-out* half has other
architectures, data and seeds."""

MISSED = f"""A run counts as hurt here if it ended with {HURT_RATIO:g} times the validation loss of
the median healthy run of its task, or without one. Misses count above whether it did or not."""

_TITLES = {
    "held-out": "Held-out architectures and seeds",
    "tune": "The half that thresholds were tuned on",
}


def _half(half: str, verdicts: Sequence[Verdict]) -> str:
    scores = score_faults(FAULTS, verdicts)
    met = [
        (one.what, one.wanted, one.measured, "met" if one.is_met else "**NOT met**")
        for one in targets(verdicts, scores)
    ]
    tasks = ", ".join(sorted({one.task for one in verdicts}))
    parts = [
        f"## {_TITLES[half]}",
        f"{len(verdicts)} runs of {tasks}.",
        table(("", "wanted", "measured", ""), met),
        *(_in_words(arm, verdicts, scores) for arm in sorted({one.arm for one in verdicts})),
        _families(scores),
    ]
    for arm in sorted({one.arm for one in verdicts}, reverse=True):
        parts.append(f"### By fault: {ARM_WORDS[arm]}")
        parts.append(_faults([one for one in scores if one.arm == arm]))
    parts += ["### By rule, both arms", _rules(score_rules(FAULTS, verdicts))]
    parts += ["### False alarms", _alarms(verdicts)]
    parts += ["### Missed", MISSED, _missed(scores, verdicts)]
    faults = sorted({fault for one in verdicts for fault in one.rule_faults})
    if faults:
        parts += ["### Rules that failed", "\n".join(f"- {fault}" for fault in faults)]
    return "\n\n".join(parts)


def _in_words(arm: str, verdicts: Sequence[Verdict], scores: Sequence[FaultScore]) -> str:
    right = precision(scores, score_healthy(arm, verdicts))
    delays = [one.median_delay for one in scores if one.arm == arm and one.median_delay is not None]
    return (
        f"In the {arm} arm the first alert names the fault by itself in "
        f"{first_alert_accuracy(scores, arm):.1%} of the runs that count, "
        f"{'no' if right is None else f'{right:.1%} of all'} alerts name what is wrong, and half "
        f"of the faults are seen within {median(delays) if delays else 0:g} rows."
    )


def _families(scores: Sequence[FaultScore]) -> str:
    rows = []
    for family in dict.fromkeys(one.family for one in scores):
        row = [family]
        for arm in ("watch", "metrics"):
            mine = [one for one in scores if one.family == family and one.arm == arm and one.counts]
            total, found = sum(one.run_count for one in mine), sum(one.found for one in mine)
            row.append(f"{found} of {total}" if total else "–")
        rows.append(tuple(row))
    return table(("family", "found, watch", "found, metrics (of those that they can show)"), rows)


def _faults(scores: Sequence[FaultScore]) -> str:
    rows = []
    for one in scores:
        precision = "–" if one.precision is None else f"{one.precision:.0%}"
        late = "–" if one.median_delay is None else f"{one.median_delay:g}"
        first = ", ".join(
            f"{rule_id} ×{count}"
            for rule_id, count in sorted(one.confusion.items(), key=lambda item: -item[1])
        )
        found = f"{one.found}/{one.run_count}" + ("" if one.counts else " (not counted)")
        rows.append(
            (
                one.fault,
                found,
                precision,
                f"{one.first_named}/{one.run_count}",
                f"{one.first_category}/{one.run_count}",
                late,
                first,
            )
        )
    columns = (
        "fault",
        "found",
        "precision",
        "first alert names it",
        "first category",
        "seen after, rows",
        "first alerts",
    )
    return table(columns, rows)


def _rules(scores: Sequence[RuleScore]) -> str:
    rows = [
        (
            one.rule_id,
            f"{one.named}/{one.could_name}",
            str(one.right),
            str(one.beside),
            str(one.false_alarms),
            "–" if one.precision is None else f"{one.precision:.0%}",
        )
        for one in scores
    ]
    columns = (
        "rule",
        "named of what it might have",
        "alerts that name the fault",
        "alerts beside it",
        "false alarms",
        "precision",
    )
    return table(columns, rows)


def _alarms(verdicts: Iterable[Verdict]) -> str:
    rows = [
        (one.arm, f"{one.variant}, {one.task}", alert.rule_id, alert.severity, alert.fact)
        for one in verdicts
        if one.label == HEALTHY
        for alert in one.serious
    ]
    return table(("arm", "run", "rule", "severity", "fact"), rows) if rows else "None."


def _missed(scores: Iterable[FaultScore], verdicts: Sequence[Verdict]) -> str:
    levels, rows = healthy_levels(verdicts), []
    for one in scores:
        mine = [run for run in verdicts if run.label == one.fault and run.arm == one.arm]
        missed = [run for run in mine if not names(FAULTS[one.fault], run)]
        if one.counts and missed:
            hurt = sum(is_hurt(run, levels) for run in missed)
            tasks = ", ".join(f"{run.task} {run.seed}" for run in missed)
            rows.append((one.fault, one.arm, f"{len(missed)} of {len(mine)}", str(hurt), tasks))
    return table(("fault", "arm", "missed", "of these hurt", "runs"), rows) if rows else "None."


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def findings(verdicts: Sequence[Verdict]) -> str:
    """Return, for whoever works on the rules, what each missed or alarmed run said."""
    lines = ["# Missed faults and false alarms, run by run", ""]
    for one in verdicts:
        fault = FAULTS.get(one.label)
        named = fault is not None and any(said.rule_id in fault.rules for said in one.named)
        counts = fault is not None and (one.arm == "watch" or fault.by_metrics)
        if fault is None and one.serious:
            lines.append(f"## FALSE ALARM {one.arm}/{one.run_id} ({one.steps} steps)")
        elif counts and not named:
            lines.append(f"## MISSED {one.arm}/{one.run_id} ({one.steps} steps)")
            lines.append(f"  wanted one of: {', '.join(fault.rules) if fault else ''}")
        else:
            continue
        for said in one.alerts:
            lines.append(f"- {said.severity} {said.rule_id} [{said.onset_step}] {said.fact}")
            for below in said.consequences:
                lines.append(f"    - {below.severity} {below.rule_id} {below.fact}")
    return "\n".join(lines) + "\n"
