"""Sessions across processes: spawned and forked children, and a store that hangs at the end."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quark import MetricsLogger, RunContext, TrainingSession
from quark.session.reading import load_context
from quark.settings import Settings

STEPS = 200


def log_in_child(context: RunContext, key: str) -> None:
    """What a child process does with the context it was given."""
    with MetricsLogger(context) as metrics:
        for step in range(STEPS):
            metrics.log(key, float(step), step=step)


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_children_of_every_kind_log_into_the_parents_run(tmp_path: Path, method: str) -> None:
    start: Any = multiprocessing.get_context(method)
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        children = [
            start.Process(target=log_in_child, args=(session.context, f"child/{n}"))
            for n in range(2)
        ]
        for child in children:
            child.start()
        with MetricsLogger(session) as metrics:
            for step in range(STEPS):
                metrics.log("parent", float(step), step=step)
        for child in children:
            child.join(60)
            assert child.exitcode == 0

    with MetricsLogger(session.context) as metrics:
        for key in ("parent", "child/0", "child/1"):
            values = [record.value for record in metrics.read(metric_key=key)]
            assert values == [float(step) for step in range(STEPS)]
    assert session.reload().status == "completed"
    assert not (session.run_path / "journal").exists()


HANGING = """
import sys, threading
from quark.session import RunRequest, TrainingSession
from quark.settings import Settings
from quark.storage.embedded import EmbeddedStore

settings = Settings.load(storage_dir=sys.argv[1], finish_timeout_seconds=0.3)
session = TrainingSession.open(RunRequest(project="p", settings=settings))
EmbeddedStore.append = lambda self, batch: threading.Event().wait()  # a disk that never answers
for step in range(100):
    session.log_row({"loss": 1.0}, step)
print(session.run_id)
"""


def test_a_store_that_never_answers_does_not_keep_the_interpreter(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING, str(tmp_path)], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0
    run_id = done.stdout.strip()
    journal = tmp_path / ".quark" / "runs" / run_id / "journal"
    assert f"records of run {run_id} have not reached the store yet" in done.stderr
    assert str(journal) in done.stderr
    context = load_context(run_id, Settings.load(storage_dir=str(tmp_path)))
    with MetricsLogger(context) as metrics, metrics._handle.reading() as store:
        assert len(store.points.series(run_id, "loss")) == 100
    assert context.status == "completed"
