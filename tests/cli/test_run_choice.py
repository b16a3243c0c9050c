"""Which run a word on the command line means."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import json_of, logged_run, run_cli


def test_the_latest_run_is_asked_for_by_that_word_unless_one_is_called_so(tmp_path: Path) -> None:
    def meant(word: str) -> str:
        found: str = json_of(run_cli("run", "show", word, "--json", cwd=tmp_path))["run"]["id"]
        return found

    first = logged_run(tmp_path, project="digits", name="later")
    second = logged_run(tmp_path, project="letters")
    assert (meant("latest"), meant("digits/latest"), meant("late")) == (second, first, first)

    gate = ("gate", "--run", "latest", "--baseline", "latest", "--project", "digits", "--json")
    assert json_of(run_cli(*gate, "--assert", "loss<=1", cwd=tmp_path))["baseline_run_ids"] == [
        first
    ]
    third = logged_run(tmp_path, project="digits", name="latest")
    logged_run(tmp_path, project="digits")
    assert (meant("latest"), meant("digits/latest")) == (third, third)

    missing = run_cli("run", "show", "no-such/latest", cwd=tmp_path)
    assert (missing.code, "There is no run 'no-such/latest'" in missing.err) == (1, True)
