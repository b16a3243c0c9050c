"""A report as lines: what is printed at the end of a run, and the middle of ``report.md``.

A line is a tuple of pieces, each a text with a style that rich knows; without a terminal the
styles fall away and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from quark.report.chart import chart, is_logarithmic, phase_line

if TYPE_CHECKING:
    from quark.records import AlertRecord
    from quark.report.model import Report

Piece = tuple[str, str]
Line = tuple[Piece, ...]

WIDTH: Final = 92
_INDENT: Final = 9
_CHART_WIDTH: Final = 64
_CHART_HEIGHT: Final = 5
#: Alerts that are shown with all there is to say; further ones by their titles.
MAX_ALERTS: Final = 6
_TONES = {"info": "cyan", "warning": "bold yellow", "error": "bold red", "critical": "bold red"}
_HEALTH = {"healthy": "green", "watch": "yellow", "degraded": "red", "critical": "bold red"}


def report_lines(
    report: Report, *, ascii_only: bool = False, more: str | None = None
) -> list[Line]:
    """Return the report, at most one screen if nothing is wrong.

    ``more`` is where there is more of it; by default the file in the run's folder.
    """
    lines: list[Line] = [_head(report)]
    lines += _health(report)
    lines += _curve(report, ascii_only)
    lines += _alerts(report)
    lines += _completeness(report)
    lines += _cost(report)
    for note in report.notes:
        lines += _wrapped(note.label, note.text)
    lines.append(_labelled("more", (more or f"{report.folder}/report.md", "")))
    return lines


def report_line(report: Report) -> Line:
    """Return the report on one line: how the run ended, its health, and what is wrong with it."""
    pieces = list(_head(report))
    overall = next((s for s in report.health_scores if s.score_key == "overall"), None)
    if overall is not None and (report.curve is not None or report.alerts):
        said = f"{overall.score:.0f} {overall.status}"
        pieces += [("; health ", ""), (said, _HEALTH[overall.status])]
    wrong = [alert for alert in report.alerts if alert.severity != "info"]
    for number, alert in enumerate(wrong[:MAX_ALERTS]):
        pieces += [("; " if not number else ", ", ""), (alert.title, _TONES[alert.severity])]
    if report.completeness is not None and not report.completeness.complete:
        pieces.append(("; not everything is stored", "bold red"))
    pieces.append((f"; {report.folder}/report.md", "dim"))
    return tuple(pieces)


def plain(lines: Iterable[Line]) -> list[str]:
    """Return the lines without styles."""
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def seconds_in_words(seconds: float) -> str:
    """Write a duration.

    >>> seconds_in_words(0.25), seconds_in_words(75.0), seconds_in_words(7384.0)
    ('0.25 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def _head(report: Report) -> Line:
    name = f"{report.run_name} ({report.run_id})" if report.run_name else report.run_id
    ending = {"completed": "green", "failed": "bold red"}.get(report.status, "yellow")
    rest = f" after {seconds_in_words(report.duration_seconds or 0.0)}"
    if report.last_step is not None:
        rest += f", up to step {report.last_step:,}"
    return (
        (f"run {name} of project {report.project}: ", ""),
        (report.status, ending),
        (rest, ""),
    )


def _health(report: Report) -> Iterator[Line]:
    scores = {score.score_key: score for score in report.health_scores}
    if report.curve is None and not report.alerts:
        return  # nothing was logged that could be judged
    overall = scores.get("overall")
    if overall is None:
        return
    pieces = [(f"{overall.score:.0f} {overall.status}", _HEALTH[overall.status]), ("   ", "")]
    for key, score in scores.items():
        if key != "overall":
            pieces += [(f"{key} ", "dim"), (f"{score.score:.0f}", _HEALTH[score.status])]
            pieces.append(("  ", ""))
    yield _labelled("health", *pieces)


def _curve(report: Report, ascii_only: bool) -> Iterator[Line]:
    curve = report.curve
    if curve is None:
        return
    drawn = chart(curve, width=_CHART_WIDTH, height=_CHART_HEIGHT, ascii_only=ascii_only)
    yield _labelled(
        "curve",
        (curve.key, "bold"),
        (" (logarithmic)" if is_logarithmic(curve, _CHART_WIDTH) else "", "dim"),
        (f" {curve.first:.4g} to {curve.last:.4g}, best {curve.best:.4g} ", ""),
        (f"at step {curve.best_step:,}", ""),
    )
    for line in drawn:
        yield _labelled("", (line, "cyan"))
    if report.phases:
        phases = phase_line(report.phases, curve, _CHART_WIDTH)
        yield _labelled("phases", (_plain_text(phases) if ascii_only else phases, "dim"))


def _alerts(report: Report) -> Iterator[Line]:
    if not report.judged:
        yield _labelled("alerts", ("too few points to judge the run by", "dim"))
        return
    if not report.alerts:
        if report.curve is not None:
            yield _labelled("alerts", ("none", "green"))
        return
    for alert in report.alerts[:MAX_ALERTS]:
        yield from _alert(alert)
    rest = report.alerts[MAX_ALERTS:]
    if rest:
        names = ", ".join(dict.fromkeys(alert.title for alert in rest))
        yield from _wrapped("", f"and {len(rest)} more: {names}", "dim")


def _alert(alert: AlertRecord) -> Iterator[Line]:
    where = ""
    if alert.step_start is not None:
        same = alert.step_end in (None, alert.step_start)
        where = (
            f"step {alert.step_start:,}"
            if same
            else (f"steps {alert.step_start:,} to {alert.step_end:,}")
        )
    yield _labelled(
        "alert",
        (f"{alert.severity.upper():8} ", _TONES[alert.severity]),
        (alert.title, "bold"),
        (f"  {where}", "dim"),
    )
    yield from _wrapped("", f"{alert.fact} {alert.inference}")
    if alert.severity == "info":
        return
    advice = alert.metadata.get("advice") or ()
    for number, text in enumerate(advice[:2]):
        yield from _wrapped("", ("try:  " if not number else "      ") + text, "green", hang=6)
    follows = dict.fromkeys(one["rule_id"] for one in alert.metadata.get("consequences") or ())
    follows.pop(alert.rule_id, None)
    if follows:
        yield from _wrapped("", f"with: {', '.join(follows).replace('_', ' ')}", "dim", hang=6)


def _completeness(report: Report) -> Iterator[Line]:
    found = report.completeness
    if found is None:
        return
    what = f"{found.point_count:,} points of {found.metric_count} metrics; "
    if found.complete:
        said = (f"{found.logged:,} records logged, {found.stored:,} stored: nothing is lost", "")
    else:
        said = (f"{found.logged:,} records logged, {found.stored:,} stored", "bold red")
    yield _labelled("data", (what, ""), said)
    for name, count in found.lost.items():
        yield _labelled("", (f"{count:,} lost, {name}", "bold red"))
    for cause, count in report.faults.items():
        yield from _wrapped("", f"Quark itself failed {count} times: {cause}", "yellow")


def _cost(report: Report) -> Iterator[Line]:
    cost = report.cost
    if cost is None or cost.training_us_per_step is None or cost.training_percent is None:
        return
    said = (
        f"Quark took {cost.training_us_per_step:.3g} µs a step "
        f"({cost.training_percent:.2g} % of the run)"
    )
    if cost.background_percent is not None:
        said += f", and {cost.background_percent:.2g} % of a core beside it"
    yield _labelled("cost", (said, "dim"))


def _labelled(label: str, *pieces: Piece) -> Line:
    return ((f"  {label:{_INDENT - 2}}", "dim"), *pieces)


def _wrapped(label: str, text: str, style: str = "", *, hang: int = 0) -> Iterator[Line]:
    lines = wrap(text, WIDTH - _INDENT, subsequent_indent=" " * hang, break_on_hyphens=False)
    for number, line in enumerate(lines):
        yield _labelled("" if number else label, (line, style))


def _plain_text(text: str) -> str:
    return text.replace("·", "-")
