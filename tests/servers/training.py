"""Trainings in processes of their own: ``python -m tests.servers.training KIND FOLDER``.

Each writes down what ``log`` returned for, right after it did: what is in that file must be in the
store at the end, exactly once and in order. It trains until ``FOLDER/stop`` appears, or for as many
steps as it is told. How long each call took is kept in memory and written at the end, with
how the run ended.

A step waits 2 ms, as for an accelerator, and logs some points; now and then an event, a change of
the configuration and a payload.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

STEP_SECONDS = 0.002
EVENT_EVERY, CONFIG_EVERY, PAYLOAD_EVERY = 10, 50, 400
PROJECT = "faults"


@dataclass(slots=True)
class Ledger:
    """What was logged, on disk as soon as it was, and what it cost."""

    folder: Path
    seconds: list[float] = field(default_factory=list)
    _file: int = -1

    def __post_init__(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(self.folder / "logged", flags, 0o644)

    @contextlib.contextmanager
    def call(self, what: str, step: int) -> Iterator[None]:
        """Note that what is done in the block returned, and after how long."""
        began = time.perf_counter()
        yield
        self.seconds.append(time.perf_counter() - began)
        os.write(self._file, f"{what} {step}\n".encode())


def value_of(key: str, step: int) -> float:
    """Return what is logged at a step: the parent knows it too.

    >>> value_of("loss", 3), value_of("acc", 3)
    (1.0, 1.5)
    """
    return step / 3 if key == "loss" else step / 2


def payload_of(step: int) -> str:
    """Return the text of the payload of a step."""
    return f"payload of step {step} " * 200


def native(ledger: Ledger, going: Callable[[int], bool]) -> None:
    """Train with the native writers."""
    from quark import EventLogger, MetricsLogger, TrainingSession

    began = time.perf_counter()
    session = TrainingSession.start_run(project=PROJECT, config={"name": ledger.folder.name})
    note(ledger.folder, run_id=session.run_id, opened_seconds=time.perf_counter() - began)
    metrics, events = MetricsLogger(session), EventLogger(session)
    pause = threading.Event()
    step = 0
    while going(step):
        pause.wait(STEP_SECONDS)
        for key in ("loss", "acc"):
            with ledger.call(key, step):
                metrics.log(key, value_of(key, step), step=step)
        if step % EVENT_EVERY == 0:
            with ledger.call("event", step):
                events.log("checkpoint", step=step)
        if step % CONFIG_EVERY == 0:
            with ledger.call("config", step):
                session.update_config({f"at_{step}": step})
        step += 1
    metrics.close()
    events.close()
    began = time.perf_counter()
    session.end_run()
    note(ledger.folder, ended_seconds=time.perf_counter() - began)
    note(ledger.folder, pending=session.handle.journal.pending)


def shim(ledger: Ledger, going: Callable[[int], bool]) -> None:
    """Train as a script for W&B does."""
    import quark.compat.wandb as wandb

    began = time.perf_counter()
    run = wandb.init(project=PROJECT, config={"name": ledger.folder.name})
    note(ledger.folder, run_id=run.id, opened_seconds=time.perf_counter() - began)
    pause = threading.Event()
    step = 0
    while going(step):
        pause.wait(STEP_SECONDS)
        row = {"loss": value_of("loss", step), "acc": value_of("acc", step)}
        with ledger.call("row", step):
            run.log(row)
        if step % CONFIG_EVERY == 0:
            with ledger.call("config", step):
                run.config.update({f"at_{step}": step})
        if step % PAYLOAD_EVERY == 0 and PAYLOADS:
            path = ledger.folder / f"payload-{step}.txt"
            path.write_text(payload_of(step))
            artifact = wandb.Artifact(f"model-{run.id}", type="model")
            artifact.add_file(str(path), "payload.txt")
            with ledger.call("artifact", step):
                run.log_artifact(artifact)
        step += 1
    began = time.perf_counter()
    run.finish()
    note(ledger.folder, ended_seconds=time.perf_counter() - began)


PAYLOADS = os.environ.get("TRAINING_PAYLOADS") == "1"
KINDS: dict[str, Callable[[Ledger, Callable[[int], bool]], None]] = {
    "native": native,
    "shim": shim,
}


def note(folder: Path, **more: Any) -> None:
    """Add to what the parent can read about this training."""
    known = read_note(folder)
    draft = folder / "note.tmp"
    draft.write_text(json.dumps({**known, **more}))
    draft.replace(folder / "note.json")


def read_note(folder: Path) -> dict[str, Any]:
    """Return what a training said of itself so far."""
    path = folder / "note.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return known


def train(kind: str, folder: Path, steps: int | None) -> None:
    """Train until told to stop, or so many steps."""
    stop = folder / "stop"

    def going(step: int) -> bool:
        if steps is not None:
            return step < steps
        return step % 20 != 0 or not stop.exists()

    ledger = Ledger(folder)
    try:
        KINDS[kind](ledger, going)
    finally:
        note(folder, call_seconds=ledger.seconds)


class Training:
    """A training in a process of its own, seen from the parent. Owns the process."""

    def __init__(
        self,
        kind: str,
        folder: Path,
        *,
        steps: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.kind = kind
        self.folder = folder
        arguments = [kind, str(folder), *([] if steps is None else [str(steps)])]
        self._output = (folder / "output").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.training", *arguments],
            env={
                **os.environ,
                "QUARK_STORAGE_DIR": str(folder / "local"),
                "QUARK_REPORT": "0",
                "QUARK_LIVE_RULES": "0",
                **(environment or {}),
            },
            cwd=folder,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    @property
    def note(self) -> dict[str, Any]:
        return read_note(self.folder)

    @property
    def run_id(self) -> str:
        run_id: str = self.note["run_id"]
        return run_id

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        """Return what it wrote to its terminal."""
        return (self.folder / "output").read_text("utf-8", "replace")

    def logged(self) -> list[tuple[str, int]]:
        """Return what ``log`` returned for so far, in order."""
        path = self.folder / "logged"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    def stop(self) -> None:
        """Have it come to its end; see :meth:`wait`."""
        (self.folder / "stop").touch()

    def wait(self, *, seconds: float = 120.0) -> int:
        """Return its exit code."""
        code = self._process.wait(seconds)
        self._output.close()
        return code

    def kill(self) -> None:
        """End it without warning, if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()


if __name__ == "__main__":
    exec(os.environ.get("TRAINING_PRELUDE", ""))
    train(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
