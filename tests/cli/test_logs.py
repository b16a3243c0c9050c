"""``quark logs``: what a run wrote to its terminal, and what was logged."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import json_of, run_cli
from tests.support.cli_inside import called
from tests.support.cli_runs import HOSTILE, kept, trained
from tests.support.over_service import place, running

__all__ = ["kept", "place", "running"]

PRINTS = """
import sys
import wandb
run = wandb.init(project="printed", name="printer")
print("hello \\x1b[31mred\\x1b[0m")
print("WARNING: careful", file=sys.stderr)
print("\\x1b]0;title\\x07é")
run.finish()
"""


def test_lines_are_printed_as_text_and_by_severity(kept: str) -> None:
    run_id = trained()

    lines = json_of(called("logs", "tail", run_id, "--json"))
    assert [(one["stream"], one["severity"], one["step"]) for one in lines] == [
        ("log", "info", None),
        ("log", "warning", 19),
    ]
    assert lines[0]["text"] == f"done {HOSTILE}"
    shown = called("logs", "tail", run_id).ok().out
    assert "\x1b" not in shown
    assert "done [bold]x[/]" in shown
    (bad,) = json_of(called("logs", "export", run_id, "--severity", "warning", "--json"))
    assert bad["text"] == "slow disk"
    assert called("logs", "export", run_id).ok().out == f"done {HOSTILE}\nslow disk\n"
    said = called("logs", "export", run_id, "-o", "run.log").ok()
    assert "Wrote 2 lines" in said.err
    assert Path("run.log").read_text() == f"done {HOSTILE}\nslow disk\n"
    assert "No line fits" in called("logs", "tail", run_id, "--stream", "stderr").ok().err
    bare = called("run", "start").ok().out.strip()
    assert "Nothing was printed or logged yet" in called("logs", "tail", bare).ok().err


def test_what_a_script_printed_is_there() -> None:
    Path("prints.py").write_text(PRINTS)
    run_cli("run", "prints.py").ok()

    lines = json_of(called("logs", "tail", "printer", "--json"))
    assert [(one["stream"], one["severity"]) for one in lines if "careful" in one["text"]] == [
        ("stderr", "warning")
    ]
    shown = called("logs", "tail", "printer", "--stream", "stdout").ok().out
    assert "hello red" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
