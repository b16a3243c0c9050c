"""What the tests run in processes of their own: ``python -m ...children NAME ...``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import quark
import quark.compat.wandb as wandb
from quark.compat.wandb.artifacts import saving


def say(word: object) -> None:
    print(word, flush=True)


def log_many(name: str, count: str) -> None:
    """Log so many versions of one artifact in a run."""
    run = wandb.init(project="p", id=name)
    for number in range(int(count)):
        artifact = wandb.Artifact("ds", "dataset")
        with artifact.new_file("f") as file:
            file.write(f"{name} {number}")
        run.log_artifact(artifact, aliases=[name])
    run.finish()


def hang_while_storing() -> None:
    """Log one artifact, and stop for ever while the next is stored."""
    run = wandb.init(project="p", id="killed")
    Path("first").write_text("1")
    run.log_artifact("first", name="ds", type="dataset").wait()
    original = saving.commit  # type: ignore[attr-defined]

    def hang(*arguments: Any, **keywords: Any) -> Any:
        say("inside")
        signal.pause()
        return original(*arguments, **keywords)

    saving.commit = hang  # type: ignore[attr-defined]
    Path("second").write_text("2")
    run.log({"loss": 1.0})
    run.log_artifact("second", name="ds", type="dataset").wait()


def end_by_signal() -> None:
    """Log an artifact, and be told to end at once."""
    run = wandb.init(project="p", id="ended")
    artifact = wandb.Artifact("ds", "dataset")
    with artifact.new_file("f") as file:
        file.write("1")
    run.log_artifact(artifact)
    os.kill(os.getpid(), signal.SIGTERM)


def log_for_a_service(name: str, count: str) -> None:
    """Open a run, wait to be told, and log so many versions; then stand still."""
    run = wandb.init(project="p", id=name)
    run.log({"loss": 1.0})
    run._session.flush()  # type: ignore[union-attr]
    say("open")
    sys.stdin.readline()
    for number in range(int(count)):
        artifact = wandb.Artifact("ds", "dataset")
        with artifact.new_file("f") as file:
            file.write(f"{name} {number}")
        run.log_artifact(artifact, aliases=[name])
    say("logged")
    signal.pause()


def sync_here() -> None:
    """Deliver what waits, and say how many artifacts that were."""
    say(quark.sync(".").artifact_count)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
