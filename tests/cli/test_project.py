"""Projects and workspaces: the same answers of a folder and of a service."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import json_of, logged_run, run_cli
from tests.support.service import running_service, service_config

HOSTILE = "<b>x<b> [red]y"


def test_projects_are_counted_in_a_folder_and_in_a_service_alike(tmp_path: Path) -> None:
    nothing = run_cli("project", "ls", "--storage-dir", tmp_path)
    assert (nothing.code, "holds no runs" in nothing.err) == (1, True)
    assert "--storage-dir" in nothing.err

    first = logged_run(tmp_path, project="digits")
    logged_run(tmp_path, project="digits")
    last = logged_run(tmp_path, project=HOSTILE)
    here = ("--storage-dir", tmp_path)
    rows = json_of(run_cli("project", "ls", *here, "--json"))
    assert [(row["name"], row["run_count"]) for row in rows] == [(HOSTILE, 1), ("digits", 2)]
    assert rows[0]["last_run_id"] == last
    assert rows[1]["created_at"] < rows[1]["last_activity_at"] < rows[0]["last_activity_at"]
    assert rows[1]["last_run_id"] != first
    shown = run_cli("project", "ls", *here).ok().out
    assert HOSTILE in shown
    workspaces = json_of(run_cli("workspace", "ls", *here, "--json"))
    assert [(row["name"], row["own"], row["run_count"]) for row in workspaces] == [
        ("local", True, 3)
    ]

    with running_service(service_config(tmp_path / "service")) as service:
        key = {"QUARK_USER_KEY": service.key}
        there = ("--url", service.url)
        empty = run_cli("project", "ls", *there, env=key).ok()
        assert "the first run makes one" in empty.err
        run_cli("sync", tmp_path, "--all-runs", *there, env=key).ok()
        assert json_of(run_cli("project", "ls", *there, "--json", env=key)) == rows
        of_service = json_of(run_cli("workspace", "ls", *there, "--json", env=key))
        assert [(row["name"], row["own"]) for row in of_service] == [("local", True)]
        assert "local" in run_cli("workspace", "ls", *there, env=key).ok().out
        refused = run_cli("project", "ls", *there, env={"QUARK_USER_KEY": "qk_a_b"})
        assert refused.code == 2
