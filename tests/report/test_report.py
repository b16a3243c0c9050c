"""The report that a run ends with: on a screen, in a file, and when things go wrong."""

from __future__ import annotations

import io
import math
import os
import pty
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from quark import AnalyzerEngine, MetricsLogger, PhaseAnalyzer, TrainingSession, jsonio
from quark.records import AlertRecord, PhaseRecord
from quark.report import build
from quark.report.chart import chart, phase_line
from quark.report.lines import plain, report_lines, seconds_in_words
from quark.report.markdown import markdown
from quark.report.model import Completeness, Cost, Curve, Report

ENVELOPE: Any = {"id": "a-1", "run_id": "run_1", "timestamp": "2026-05-07T00:00:00Z"}


def log_healthy(session: TrainingSession) -> None:
    with MetricsLogger(session) as metrics:
        for step in range(200):
            loss = 0.1 + 2.2 * math.exp(-step / 40)
            metrics.log("train/loss", loss * (1 + 0.02 * math.sin(step * 12.9)), step=step)
            if step % 20 == 19:
                metrics.log("val/loss", loss * 1.02, step=step)


def log_broken(session: TrainingSession) -> None:
    with MetricsLogger(session) as metrics:
        for step in range(200):
            metrics.log("train/loss", 0.1 + 2.2 * math.exp(-step / 40), step=step)
            metrics.log("system/runtime/step_time_ms", 1_500.0, step=step)


def test_a_healthy_run_ends_with_one_screen_that_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TrainingSession.start_run(project="fine", storage_dir=tmp_path) as session:
        log_healthy(session)

    told = capsys.readouterr().err.splitlines()
    assert len(told) <= 20
    assert max(map(len, told[:-1])) <= 110  # the last one is a path
    assert all(line.startswith("quark: ") for line in told)
    text = "\n".join(told)
    assert f"run {session.run_id} of project fine: completed after" in told[0]
    assert "health 100 healthy" in text
    assert "train/loss 2.3 to" in text
    assert "rapid learning" in text
    assert "alerts none" in text
    assert "210 points of 2 metrics" in text
    assert "nothing is lost" in text
    assert "µs a step" in text
    assert f"{session.run_path}/report.md" in told[-1]


def test_from_the_fourth_run_of_a_process_on_a_run_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for number in range(5):
        with TrainingSession.start_run(project=f"p{number}", storage_dir=tmp_path) as session:
            (log_broken if number == 4 else log_healthy)(session)
        told.append(capsys.readouterr().err.splitlines())
        assert (session.run_path / "report.md").is_file()

    assert [len(lines) > 5 for lines in told] == [True, True, True, False, False]
    (fine,), (wrong,) = told[3:]
    assert re.fullmatch(
        r"quark: run run_\w+ of project p3: completed after [\d.]+ s, up to step 199; "
        r"health 100 healthy; .*/report\.md",
        fine,
    )
    assert re.search(r"; health \d+ degraded; Runtime bottleneck", wrong)


def test_what_is_wrong_is_told_with_what_to_try_and_kept_in_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TrainingSession.start_run(project="slow", storage_dir=tmp_path) as session:
        log_broken(session)

    told = capsys.readouterr().err
    (alert,) = AnalyzerEngine(session).read_alerts(rule_id="runtime_bottleneck_risk")
    assert f"CRITICAL {alert.title}" in told
    assert "try:" in told
    kept = jsonio.loads((session.run_path / "report.json").read_bytes())
    assert (kept["report_version"], kept["status"]) == (1, "completed")
    assert [one["rule_id"] for one in kept["alerts"]] == ["runtime_bottleneck_risk"]
    assert {score["score_key"]: score["status"] for score in kept["health_scores"]}[
        "runtime"
    ] == "critical"
    assert kept["completeness"]["complete"] is True
    assert kept["completeness"]["logged"] == kept["completeness"]["stored"]
    assert kept["cost"]["log_call_count"] == 400
    assert kept["phases"]
    page = (session.run_path / "report.md").read_text()
    assert "### critical: " in page
    for advice in alert.metadata["advice"]:
        assert advice.split("`")[0][:20] in page
    phases = PhaseAnalyzer(session).read_phases()
    assert [phase.phase_name for phase in phases] == [one["phase_name"] for one in kept["phases"]]


@pytest.mark.parametrize(
    ("status", "begin"), [("failed", "failed after"), ("interrupted", "interrupted after")]
)
def test_a_run_that_did_not_come_to_its_end_is_reported_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: str, begin: str
) -> None:
    session = TrainingSession.start_run(project="p", storage_dir=tmp_path)
    log_healthy(session)

    session.end_run(status)

    assert begin in capsys.readouterr().err
    assert jsonio.loads((session.run_path / "report.json").read_bytes())["status"] == status


@pytest.mark.parametrize("variable", ["QUARK_QUIET", "QUARK_REPORT"])
def test_a_run_that_is_asked_to_be_silent_is(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, "1" if variable == "QUARK_QUIET" else "0")
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        log_healthy(session)

    assert capsys.readouterr().err == ""
    assert (session.run_path / "report.md").exists() == (variable == "QUARK_QUIET")


def test_a_report_that_fails_costs_nobody_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("no report today")

    monkeypatch.setattr(build, "_judge", fails)
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        log_healthy(session)

    assert session.reload().status == "completed"
    assert sum(session.diagnostics().faults.values()) == 1


def test_a_run_of_nothing_has_a_short_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path):
        pass

    told = capsys.readouterr().err.splitlines()
    assert len(told) == 4
    assert "too few points" in told[1]
    assert "0 points of 0 metrics" in told[2]


@pytest.mark.parametrize(
    ("values", "status", "judged"),
    [
        ([1.0] * 11, "completed", False),
        ([1.0] * 12, "completed", True),
        ([1.0, math.nan], "completed", True),
        ([1.0], "failed", True),
    ],
)
def test_a_run_too_short_to_be_judged_ends_without_the_rules(
    tmp_path: Path, values: list[float], status: str, judged: bool
) -> None:
    session = TrainingSession.start_run(project="p", storage_dir=tmp_path)
    for step, value in enumerate(values):
        session.log_row({"loss": value}, step)
    session.end_run(status)

    kept = jsonio.loads((session.run_path / "report.json").read_bytes())

    assert kept["judged"] is judged
    assert len(kept["health_scores"]) == (5 if judged else 0)
    assert len(AnalyzerEngine(session).analyze().health_scores) == 5  # asked for, it is judged


def test_a_terminal_gets_colours_and_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
            log_healthy(session)
        monkeypatch.undo()
        terminal.flush()
        told = os.read(reader, 65536).decode()
    os.close(reader)

    assert "\x1b[" in told
    assert "nothing is lost" in told
    assert session.run_id in told


def test_a_stream_that_knows_no_blocks_gets_plain_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)

    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        log_healthy(session)

    stream.flush()
    told = stream.buffer.getvalue().decode("ascii")
    assert "###" in told
    assert "\\u" not in told.replace("\\xb5", "")
    assert session.run_id in told


def test_a_run_that_was_gone_on_with_counts_its_own_part(tmp_path: Path) -> None:
    first = TrainingSession.start_run(project="p", storage_dir=tmp_path)
    log_healthy(first)
    first.end_run("interrupted")
    second = TrainingSession.resume_run(run_id=first.run_id, storage_dir=tmp_path)
    with MetricsLogger(second) as metrics:
        for step in range(200, 250):
            metrics.log("train/loss", 0.1, step=step)
    second.end_run()

    kept = jsonio.loads((second.run_path / "report.json").read_bytes())
    assert kept["cost"]["log_call_count"] == 50
    assert (kept["last_step"], kept["completeness"]["point_count"]) == (249, 260)
    assert kept["curve"]["point_count"] == 250


# -- drawing ---------------------------------------------------------------------------------------


def curve(values: list[float]) -> Curve:
    return Curve(
        key="loss",
        steps=tuple(range(len(values))),
        values=tuple(values),
        first=values[0],
        last=values[-1],
        best=min(values),
        best_step=0,
        point_count=len(values),
    )


def heights(lines: list[str], width: int) -> list[int]:
    """How many eighths of a line each column is filled with."""
    columns = [""] * width
    for line in lines:
        for place, cell in enumerate(line.ljust(width)):
            columns[place] += cell
    return [sum(" ▁▂▃▄▅▆▇█".index(cell) for cell in column) for column in columns]


def test_a_chart_is_as_high_as_its_values() -> None:
    lines = chart(curve([4.0, 3.0, 2.0, 1.0]), width=4, height=3)

    assert heights(lines, 4) == [24, 16, 9, 1]
    assert heights(chart(curve([1000.0, 10.0, 0.1]), width=3, height=2), 3) == [16, 9, 1]
    assert chart(curve([1.0, 1.0]), width=2, height=2) == ["", "▁▁"]
    assert chart(curve([2.0, math.nan, 1.0]), width=3, height=1) == ["█x▁"]
    assert chart(curve([math.nan, math.inf]), width=2, height=1) == []


def phase(name: str, start: int, end: int) -> PhaseRecord:
    return PhaseRecord(
        **ENVELOPE,
        phase_name=name,
        display_name=name.replace("_", " "),
        summary="",
        step_start=start,
        step_end=end,
    )


def test_phases_stand_below_the_steps_they_cover() -> None:
    found = [
        phase("initialization_adaptation", 0, 9),
        phase("rapid_learning", 10, 59),
        phase("divergence", 60, 99),
    ]

    line = phase_line(found, curve([1.0] * 100), 40)

    assert len(line) == 40
    assert [place for place, cell in enumerate(line) if cell == "|"] == [0, 4, 24]
    assert "rapid learning" in line[4:24]
    assert "divergence" in line[24:]
    assert "i" in line[:4]


def test_durations_are_in_words() -> None:
    assert seconds_in_words(0.0) == "0 s"
    assert seconds_in_words(59.9) == "59.9 s"
    assert seconds_in_words(3_600.0) == "1 h 0 min"


def made(**changes: Any) -> Report:
    fields: dict[str, Any] = {
        "run_id": "run_1",
        "run_name": None,
        "project": "p",
        "status": "completed",
        "generated_at": "2026-05-07T00:00:00Z",
        "started_at": None,
        "duration_seconds": 1.0,
        "last_step": 5,
        "folder": "/x",
        "judged": True,
        "curve": curve([2.0, 1.0]),
        "phases": (),
        "alerts": (),
        "health_scores": (),
        "completeness": Completeness(logged=3, stored=3, point_count=3, metric_count=1),
        "cost": Cost(log_call_count=3, step_count=3),
    }
    return Report(**{**fields, **changes})


def alert(**changes: Any) -> AlertRecord:
    fields: dict[str, Any] = {
        "rule_id": "r",
        "category": "runtime",
        "severity": "error",
        "title": "T",
        "summary": "",
        "fact": "F.",
        "inference": "I.",
    }
    return AlertRecord(**ENVELOPE, **{**fields, **changes})


def test_what_was_lost_is_told_first_hand() -> None:
    lost = Completeness(
        logged=10, stored=8, point_count=8, metric_count=1, lost={"metric: disk full": 2}
    )

    told = "\n".join(plain(report_lines(made(completeness=lost, faults={"rule x failed": 3}))))

    assert "10 records logged, 8 stored" in told
    assert "2 lost, metric: disk full" in told
    assert "failed 3 times: rule x failed" in told
    assert "nothing is lost" not in told
    assert "not everything is stored" in markdown(made(completeness=lost))


def test_many_alerts_are_counted_and_the_first_are_told() -> None:
    many = tuple(alert(title=f"T{number}") for number in range(9))

    told = "\n".join(plain(report_lines(made(alerts=many))))

    assert [name for name in (f"T{n}" for n in range(9)) if f"ERROR    {name}" in told] == [
        f"T{n}" for n in range(6)
    ]
    assert "and 3 more: T6, T7, T8" in told


def test_what_a_run_is_called_never_becomes_markup() -> None:
    evil = "<script>alert(1)</script> [x](http://y) | `rm` **b**"
    page = markdown(made(run_name=evil, project=evil, alerts=(alert(title=evil, fact=evil),)))

    assert "<script>" not in page.replace("\\<script\\>", "")
    unescaped = re.sub(r"\\.", "", page)
    assert "](" not in unescaped
    assert "**b**" not in unescaped


def test_a_run_is_judged_as_what_it_ends_as_and_not_as_one_that_goes_on(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        for step in range(200):
            accuracy = 0.1 + 0.01 * math.sin(step * 12.9)
            session.log_row({"train/loss": 2.303 + 0.02 * math.sin(step * 78.2)}, step)
            if step % 10 == 9:
                session.log_row({"val/loss": 2.303, "val/accuracy": accuracy}, step)

    kept = jsonio.loads((session.run_path / "report.json").read_bytes())
    again = AnalyzerEngine(session).analyze()

    assert kept["alerts"]
    assert [one["rule_id"] for one in kept["alerts"]] == [one.rule_id for one in again.alerts]
