"""A training killed at any moment loses nothing of what ``log`` returned for.

Real processes, real SIGKILL. The child acknowledges each returned ``log`` over a pipe; the parent
kills it after a random number of acknowledgements and reads the run back.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quark import MetricsLogger, TrainingSession
from quark.session.reading import load_context
from quark.settings import Settings

#: Logs from two threads at full speed; ``fork``: a child of its own goes on logging as well.
CHILD = """
import os, sys, threading
from quark.session import RunRequest, TrainingSession
from quark.settings import Settings

fork = sys.argv[2] == "fork"
settings = Settings.load(storage_dir=sys.argv[1], ship_interval_seconds=0.01, segment_bytes=65536)
session = TrainingSession.open(RunRequest(project="kill", settings=settings, run_id="run_kill"))
os.write(1, b"ready 0\\n")

def write(name):
    for step in range(10**9):
        seq = session.log_row({name: float(step), name + "/other": step / 3}, step)
        assert seq
        os.write(1, f"{name} {step}\\n".encode())

threads = [threading.Thread(target=write, args=(name,), daemon=True) for name in "ab"]
for thread in threads:
    thread.start()
if fork:
    if os.fork() == 0:
        write("c")
for thread in threads:
    thread.join()
"""


def kill_after(storage_dir: Path, acknowledgements: int, *, fork: bool) -> dict[str, int]:
    """Start the child, kill its whole group, return the last acknowledged step of each series."""
    command = [sys.executable, "-c", CHILD, str(storage_dir), "fork" if fork else "alone"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(acknowledgements)]
    os.killpg(child.pid, signal.SIGKILL)
    lines += child.stdout.read().splitlines(keepends=True)
    child.wait()
    child.stdout.close()
    last: dict[str, int] = {}
    for line in lines:
        name, _, step = line.decode().partition(" ")
        if name in "abc" and line.endswith(b"\n"):
            assert int(step) == last.get(name, -1) + 1
            last[name] = int(step)
    return last


def check_everything_is_there(storage_dir: Path, acknowledged: dict[str, int]) -> None:
    """Each series holds 0, 1, 2, … in order, once, at least to what was acknowledged."""
    context = load_context("run_kill", Settings.load(storage_dir=str(storage_dir)))
    assert (context.status, context.run.end_reason) == ("failed", "process_lost")
    with MetricsLogger(context) as metrics, metrics._handle.reading() as store:
        for name, last in acknowledged.items():
            for key, value in ((name, 1.0), (f"{name}/other", 1 / 3)):
                series = store.points.series("run_kill", key)
                steps = series.step.tolist()
                assert steps == list(range(len(steps))), f"{key} is not in order and once"
                assert len(steps) > last, f"{key}: acknowledged {last}, kept {len(steps) - 1}"
                expected = [step if value == 1.0 else step / 3 for step in steps]
                assert series.value.tolist() == expected


@pytest.mark.parametrize("part", range(10))
def test_fifty_killed_trainings_lose_nothing(tmp_path: Path, part: int) -> None:
    chance = random.Random(part)
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        acknowledged = kill_after(folder, chance.randrange(1, 8_000), fork=attempt == 4)
        check_everything_is_there(folder, acknowledged)


def test_a_locked_database_delays_the_store_but_loses_nothing(tmp_path: Path) -> None:
    locked = threading.Event()
    release = threading.Event()

    def lock_database() -> None:
        database = tmp_path / ".quark" / "runs" / "run_kill" / "run.db"
        while not database.exists() and not release.wait(0.01):
            pass
        connection = sqlite3.connect(database, isolation_level=None, timeout=60)
        connection.execute("BEGIN IMMEDIATE")
        locked.set()
        release.wait(60)
        connection.execute("ROLLBACK")
        connection.close()

    holder = threading.Thread(target=lock_database)
    holder.start()
    try:
        acknowledged = kill_after(tmp_path, 20_000, fork=False)
        assert locked.is_set()
    finally:
        release.set()
        holder.join()

    check_everything_is_there(tmp_path, acknowledged)


def test_a_resumed_run_has_what_the_killed_process_logged(tmp_path: Path) -> None:
    acknowledged = kill_after(tmp_path, 500, fork=False)

    with TrainingSession.resume_run(run_id="run_kill", storage_dir=tmp_path) as session:
        with session.reading() as store:
            before = len(store.points.series("run_kill", "a"))
        session.log_row({"a": -1.0}, before)

    assert before > acknowledged["a"]
    with session.reading() as store:
        assert len(store.points.series("run_kill", "a")) == before + 1
    assert session.reload().run.resume_count == 1
