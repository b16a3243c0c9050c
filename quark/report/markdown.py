"""``report.md``: the whole report for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from quark.report.chart import chart, phase_line
from quark.report.lines import seconds_in_words

if TYPE_CHECKING:
    from quark.records import AlertRecord
    from quark.report.model import Report

_CHART_WIDTH = 80
_CHART_HEIGHT = 10


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    return "\n".join(_parts(report)) + "\n"


def _parts(report: Report) -> Iterator[str]:
    yield f"# {_text(report.run_name or report.run_id)}: {report.status}"
    yield ""
    yield f"- run `{report.run_id}` of project {_text(report.project)}"
    yield f"- started {report.started_at or 'at an unknown time'}"
    where = "" if report.completeness is None else " in this process"
    yield f"- {seconds_in_words(report.duration_seconds or 0.0)}{where}"
    if report.last_step is not None:
        yield f"- up to step {report.last_step:,}"
    yield f"- kept in `{report.folder}`"
    if not report.judged:
        yield "- too few points to judge it by"
    yield from _scores(report)
    yield from _curve(report)
    yield from _alerts(report)
    yield from _phases(report)
    yield from _accounts(report)
    for note in report.notes:
        yield from ("", f"## {_text(note.label)}", "", _text(note.text))
        if note.details:
            yield from ("", *(f"- {_text(detail)}" for detail in note.details))


def _scores(report: Report) -> Iterator[str]:
    if not report.health_scores:
        return
    yield from ("", "## Health", "", "| what | score | status | why |", "|---|---|---|---|")
    for score in report.health_scores:
        yield f"| {score.score_key} | {score.score:g} | {score.status} | {_text(score.summary)} |"


def _curve(report: Report) -> Iterator[str]:
    if report.curve is None:
        return
    curve = report.curve
    yield from ("", f"## {_text(curve.key)}", "", "```text")
    yield from chart(curve, width=_CHART_WIDTH, height=_CHART_HEIGHT)
    if report.phases:
        yield phase_line(report.phases, curve, _CHART_WIDTH)
    yield "```"
    yield ""
    yield (
        f"From {curve.first:.6g} to {curve.last:.6g} over {curve.point_count:,} points; "
        f"best {curve.best:.6g} at step {curve.best_step:,}."
    )


def _alerts(report: Report) -> Iterator[str]:
    if not report.judged:
        return
    yield from ("", "## Alerts", "")
    if not report.alerts:
        yield "None."
    for alert in report.alerts:
        yield from _alert(alert)


def _alert(alert: AlertRecord) -> Iterator[str]:
    yield f"### {alert.severity}: {_text(alert.title)}"
    yield ""
    yield f"Rule `{alert.rule_id}`, {alert.category}."
    yield ""
    yield f"**Observed.** {_text(alert.fact)}"
    yield ""
    yield f"**Probably.** {_text(alert.inference)}"
    yield ""
    advice = alert.metadata.get("advice") or ()
    if advice:
        yield from ("**To try.**", "", *(f"- {_text(text)}" for text in advice), "")
    if alert.evidence:
        yield from ("| evidence | observed | threshold | steps |", "|---|---|---|---|")
        for one in alert.evidence:
            steps = "" if one.step_start is None else f"{one.step_start} to {one.step_end}"
            yield (
                f"| {_text(one.source)}: {_text(one.summary)} | {_number(one.observed_value)} "
                f"| {_number(one.threshold_value)} | {steps} |"
            )
        yield ""
    consequences = alert.metadata.get("consequences") or ()
    if consequences:
        yield from ("**It comes with.**", "")
        yield from (
            f"- `{one['rule_id']}` ({one['severity']}): {_text(one['fact'])}"
            for one in consequences
        )
        yield ""


def _phases(report: Report) -> Iterator[str]:
    if not report.phases:
        return
    yield from ("", "## Phases", "", "| phase | steps | why |", "|---|---|---|")
    for phase in report.phases:
        steps = f"{phase.step_start} to {phase.step_end}"
        yield f"| {phase.display_name} | {steps} | {_text(phase.summary)} |"


def _accounts(report: Report) -> Iterator[str]:
    found, cost = report.completeness, report.cost
    yield from ("", "## Data and cost", "")
    if found is not None:
        state = "nothing is lost" if found.complete else "not everything is stored"
        yield (
            f"- {found.logged:,} records logged by this process, {found.stored:,} stored: {state}; "
            f"the run has {found.point_count:,} points of {found.metric_count} metrics"
        )
        yield from (f"- {count:,} lost, {_text(name)}" for name, count in found.lost.items())
    if cost is not None and cost.training_us_per_step is not None:
        yield (
            f"- Quark took about {cost.training_us_per_step:g} µs a step in the training "
            f"({_number(cost.training_percent)} % of the run; {cost.log_call_count:,} calls of "
            f"about {_number(cost.log_us_per_call)} µs, {cost.hooks_seconds:.3g} s in hooks), and "
            f"{_number(cost.background_percent)} % of a core beside it"
        )
    for role, keys in report.metric_roles.items():
        yield f"- `{_text(keys[0])}` was taken as {role.replace('_', ' ')}"
    yield from (
        f"- Quark itself failed {count} times: {_text(cause)}"
        for cause, count in report.faults.items()
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _text(text: str) -> str:
    """Keep what a run is called from becoming markup."""
    for mark in "\\`*_[]<>#|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
