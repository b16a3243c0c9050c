"""Artifacts of several processes, and of one that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import quark.compat.wandb as wandb


def start(*arguments: str, **keywords: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.compat.wandb.artifacts.children", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **keywords)


def test_runs_that_log_one_artifact_at_once_get_versions_of_their_own() -> None:
    children = [start("log_many", f"run{number}", "4", stderr=subprocess.PIPE) for number in "abc"]
    for child in children:
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0, said

    api = wandb.Api()
    versions = api.artifacts("dataset", "p/ds", order="createdAt")
    assert [artifact.version for artifact in versions] == [f"v{number}" for number in range(12)]
    assert len({artifact.digest for artifact in versions}) == 12
    for number in "abc":
        logged = api.run(f"p/run{number}").logged_artifacts()
        assert len(logged) == 4
        assert api.artifact(f"p/ds:run{number}").version == logged[3].version
        assert {str(artifact.logged_by()) for artifact in logged} == {
            f"<Run local/p/run{number} (finished)>"
        }


def test_a_process_that_is_killed_while_it_stores_leaves_what_was_stored_before() -> None:
    child = start("hang_while_storing", stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    assert child.stdout.readline() == "inside\n"
    child.send_signal(signal.SIGKILL)
    child.wait(60)
    child.stdout.close()

    api = wandb.Api()
    assert [artifact.version for artifact in api.artifacts("dataset", "p/ds")] == ["v0"]
    assert api.run("p/killed").summary["loss"] == 1.0
    with wandb.init(project="p", id="next") as run:
        run.log_artifact("second", name="ds", type="dataset").wait()
    assert api.artifact("p/ds").version == "v1"


def test_a_process_that_is_told_to_end_stores_what_it_has_logged() -> None:
    child = start("end_by_signal", stderr=subprocess.DEVNULL)
    child.communicate(timeout=60)

    assert child.returncode == -signal.SIGTERM
    assert [artifact.version for artifact in wandb.Api().artifacts("dataset", "p/ds")] == ["v0"]
    assert [a.name for a in wandb.Api().run("p/ended").logged_artifacts()] == ["ds:v0"]
