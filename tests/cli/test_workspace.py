"""Workspaces that runs of a folder were logged for; those of a service are in test_project."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import json_of, logged_run, run_cli


def test_a_folder_tells_the_workspaces_of_its_runs_and_which_is_chosen(tmp_path: Path) -> None:
    logged_run(tmp_path, workspace="vision")
    logged_run(tmp_path, workspace="speech")
    logged_run(tmp_path, workspace="vision")
    words = ("workspace", "ls", "--storage-dir", tmp_path, "--workspace", "vision")

    rows = json_of(run_cli(*words, "--json"))

    assert [(row["name"], row["own"], row["run_count"]) for row in rows] == [
        ("vision", True, 2),
        ("speech", False, 1),
    ]
    lines = run_cli(*words).ok().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["*", "speech"]
