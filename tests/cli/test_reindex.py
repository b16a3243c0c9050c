"""The list of runs is made again from the runs, and says what of them cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.cli import json_of, logged_run, run_cli


def test_a_lost_or_damaged_list_is_made_again(tmp_path: Path) -> None:
    here = ("--storage-dir", tmp_path)
    none = run_cli("reindex", *here)
    assert (none.code, "holds no runs" in none.err) == (1, True)
    runs = {logged_run(tmp_path) for _ in range(3)}
    before = json_of(run_cli("project", "ls", *here, "--json"))
    index = tmp_path / ".quark" / "index.db"

    index.unlink()
    lost = run_cli("project", "ls", *here, "--json")
    assert json_of(lost) == []
    assert "is empty, but 3 of them are there: `quark reindex`" in lost.err
    assert "3 of them are there" in run_cli("run", "show", runs.copy().pop(), *here).err
    said = json_of(run_cli("reindex", *here, "--json"))
    assert (said["run_count"], said["damaged"], said["set_aside"]) == (3, {}, None)
    after = run_cli("project", "ls", *here, "--json")
    assert (json_of(after), after.err) == (before, "")

    index.write_bytes(os.urandom(8192))
    shown = run_cli("reindex", *here).ok()
    assert "3 runs of" in shown.out
    assert "The old list could not be read and is kept as" in shown.err
    assert json_of(run_cli("project", "ls", *here, "--json")) == before

    damaged = sorted(runs)[0]
    (tmp_path / ".quark" / "runs" / damaged / "run.db").write_bytes(os.urandom(8192))
    failed = run_cli("reindex", *here)
    assert (failed.code, f"{damaged} cannot be read" in failed.err) == (1, True)
    service = run_cli("reindex", "--url", "https://quark.example.com")
    assert (service.code, "keeps its list of runs itself" in service.err) == (1, True)
