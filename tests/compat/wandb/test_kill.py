"""What ``wandb.log`` returned for survives SIGKILL: every row is read back once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.public_api import Api

ROUNDS = 5

#: Logs at full speed from two threads and says after each call which row is safe.
CHILD = """
import os, threading
import quark.compat.wandb as wandb
run = wandb.init(project="kill", id="killed")
def work(name, write):
    number = 0
    while True:
        wandb.log({name: number, "text": f"{name}{number}"} if number % 7 == 0 else {name: number})
        os.write(write, b"%s %d\\n" % (name.encode(), number))
        number += 1
threads = [threading.Thread(target=work, args=(name, 1)) for name in "ab"]
FORK
for thread in threads:
    thread.start()
"""
FORK = """
if os.fork() == 0:
    work("c", 1)
"""


def killed_after(script: str, lines: int, python: str, folder: Path) -> dict[str, int]:
    """Run a child until it has acknowledged some rows, kill it; return the last one by thread."""
    child = subprocess.Popen(
        [python, "-c", script], stdout=subprocess.PIPE, cwd=folder, start_new_session=True
    )
    assert child.stdout is not None
    acknowledged: dict[str, int] = {}
    with child.stdout as stream:
        for _ in range(lines):
            name, number = stream.readline().decode().split()
            acknowledged[name] = int(number)
        os.killpg(child.pid, signal.SIGKILL)
        for line in stream:
            if line.endswith(b"\n"):
                name, number = line.decode().split()
                acknowledged[name] = int(number)
    child.wait()
    return acknowledged


@pytest.mark.slow
@pytest.mark.parametrize("fork", ["", FORK], ids=["threads", "threads and a fork"])
def test_every_acknowledged_row_is_read_back_once(fork: str, python: str, tmp_path: Path) -> None:
    for attempt in range(ROUNDS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        lines = random.randrange(1, 4000)

        acknowledged = killed_after(CHILD.replace("FORK", fork), lines, python, folder)

        run = Api({"dir": folder}).run("kill/killed")
        rows = list(run.scan_history())
        assert run.state == "crashed"
        for name, last in acknowledged.items():
            numbers = [row[name] for row in rows if name in row]
            assert numbers[: last + 1] == list(range(last + 1)), f"{name}: {len(numbers)} rows"
            assert len(numbers) <= last + 2, "a row is there twice"
        for row in rows:
            for name in set("abc") & row.keys():
                if row[name] % 7 == 0 and "text" in row:
                    assert row["text"][1:].isdigit()


def test_a_killed_run_can_be_gone_on_with(python: str, tmp_path: Path) -> None:
    killed_after(CHILD.replace("FORK", ""), 500, python, tmp_path)

    run = wandb.init(project="kill", id="killed", resume="must", settings={"silent": True})

    last = max(run.summary.get(name, -1) for name in "ab")  # a thread may not have come to it
    assert run.resumed
    assert run.step >= last
    assert run.step == 1 + max(row["_step"] for row in Api().run("killed").scan_history())
    run.finish()
    assert Api().run("killed").state == "finished"
