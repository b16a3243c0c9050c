"""How a run ends when a signal ends its process, and that the script's own handlers decide."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest

import quark.compat.wandb as wandb

START = """
import os, signal, sys, threading
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a test run under nohup has it ignored
import quark.compat.wandb as wandb
TERM = signal.SIGTERM
def kill(number=TERM):
    os.kill(os.getpid(), number)
"""
INIT = (
    "run = wandb.init(id='r', project='p', config={'lr': 1})\nwandb.log({'a': 1})\nprint('out')\n"
)


def ended(body: str, before: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
    script = START + textwrap.dedent(before) + INIT + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


def run_of(run_id: str = "r") -> Any:
    return wandb.Api().run(run_id)


@pytest.mark.parametrize(
    ("body", "returned", "state", "exit_code"),
    [
        pytest.param("", 0, "finished", 0, id="end"),
        pytest.param("raise RuntimeError('x')", 1, "failed", 1, id="exception"),
        pytest.param("sys.exit(3)", 3, "failed", 3, id="exit"),
        pytest.param("os._exit(7)", 7, "crashed", None, id="os._exit"),
        pytest.param("kill(signal.SIGINT)", -2, "failed", 255, id="ctrl-c"),
        pytest.param("kill()", -15, "crashed", 143, id="term"),
        pytest.param("kill(signal.SIGHUP)", -1, "crashed", None, id="hup"),
        pytest.param("kill(signal.SIGKILL)", -9, "crashed", None, id="kill"),
    ],
)
def test_the_end_of_a_process_is_the_end_of_its_run(
    body: str, returned: int, state: str, exit_code: int | None
) -> None:
    assert ended(body).returncode == returned

    run = run_of()
    assert (run.state, run.exit_code) == (state, exit_code)
    assert [row["a"] for row in run.scan_history()] == [1]
    assert run.summary["a"] == 1
    assert run.config == {"lr": 1}
    assert run.console_logs()[0].content == "out"


@pytest.mark.parametrize(
    ("body", "returned"),
    [
        pytest.param("raise RuntimeError('x')", 1, id="exception"),
        pytest.param("sys.exit(3)", 3, id="exit"),
        pytest.param("kill(signal.SIGINT)", -2, id="ctrl-c"),
        pytest.param("kill()", -15, id="term"),
    ],
)
def test_media_that_wait_are_kept_however_a_process_ends(body: str, returned: int) -> None:
    logs = """
    import numpy as np
    noise = np.random.default_rng(0).integers(0, 256, (20, 256, 256, 3), dtype=np.uint8)
    for pixels in noise:
        run.log({"image": wandb.Image(pixels), "x": 1})
    assert run._session.handle._payloads._queue._waiting
    """

    assert ended(textwrap.dedent(logs) + body).returncode == returned

    run = run_of()
    paths = [row["image"]["path"] for row in run.scan_history() if "image" in row]
    assert len(set(paths)) == 20
    assert run.summary["image"]["path"] == paths[-1]
    assert {file.name for file in run.files()} >= set(paths)


def test_a_terminated_run_says_why() -> None:
    ended("print('half a line', end='')\nkill()")

    record = run_of()._record
    assert (record.status, record.end_reason) == ("interrupted", "SIGTERM")
    assert record.ended_at is not None
    assert record.summary["_wandb"]["runtime"] >= 0
    assert [line.content for line in run_of().console_logs()] == ["out", "half a line"]


def test_a_terminated_run_can_be_gone_on_with() -> None:
    ended("kill()")

    with wandb.init(id="r", project="p", resume="must", settings={"silent": True}) as run:
        run.log({"a": 2})

    assert [row["a"] for row in run_of().scan_history()] == [1, 2]
    assert run_of().state == "finished"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("does", "returned", "state"),
    [("print('mine')", 0, "finished"), ("sys.exit(5)", 5, "failed")],
    ids=["goes on", "exits"],
)
def test_a_handler_of_the_script_decides(when: str, does: str, returned: int, state: str) -> None:
    own = f"signal.signal(TERM, lambda *about: {does})\n"
    parts = (own, "kill()") if when == "before" else ("", own + "kill()")

    done = ended(parts[1], parts[0])

    assert (done.returncode, run_of().state) == (returned, state)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    done = ended("kill()\nwandb.log({'a': 2})", "signal.signal(TERM, signal.SIG_IGN)\n")

    assert (done.returncode, run_of().state) == (0, "finished")


def test_a_hook_of_the_script_runs_too() -> None:
    hook = "sys.excepthook = lambda *about: print('mine')\n"

    assert "mine" in ended("raise RuntimeError", hook).stdout
    assert run_of().state == "failed"


def test_the_handler_is_given_back() -> None:
    body = """
    assert signal.getsignal(TERM) not in (signal.SIG_DFL, None)
    second = wandb.init(id='s', project='p', reinit='create_new')
    run.finish()
    assert signal.getsignal(TERM) is not signal.SIG_DFL
    second.finish()
    assert signal.getsignal(TERM) is signal.SIG_DFL
    wandb.init(id='t', project='p')
    kill()
    """
    done = ended(body)

    assert done.returncode == -15, done.stderr
    assert [run_of(name).state for name in "rst"] == ["finished", "finished", "crashed"]


def test_nothing_is_handled_for_a_thread_s_run() -> None:
    body = """
    run.finish()
    def train():
        wandb.init(id='thread', project='p')
        wandb.log({'a': 1})
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert signal.getsignal(TERM) is signal.SIG_DFL
    kill()
    """
    done = ended(body)

    assert done.returncode == -15, done.stderr
    assert run_of("thread").state == "crashed"


def test_a_forked_child_dies_of_it_alone() -> None:
    body = """
    child = os.fork()
    if child == 0:
        kill()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -15
    wandb.log({'a': 2})
    """
    done = ended(body)

    assert done.returncode == 0, done.stderr
    assert run_of().state == "finished"
    assert [row["a"] for row in run_of().scan_history()] == [1, 2]


STORM = """
import itertools
go = threading.Event()
def other():
    for number in itertools.count():
        wandb.log({'other': number})
        print('other', number, file=sys.stderr)
threading.Thread(target=other, daemon=True).start()
threading.Timer(DELAY, kill).start()
for number in itertools.count(2):
    wandb.log({'a': number})
    print(number, file=sys.stderr)
    os.write(1, b'%d\\n' % number)
"""


@pytest.mark.parametrize("delay", [0.01, 0.05, 0.1, 0.15])
def test_it_may_come_in_the_middle_of_anything(delay: float) -> None:
    done = ended(STORM.replace("DELAY", str(delay)))

    assert done.returncode == -signal.SIGTERM
    acknowledged = [int(line) for line in done.stdout.splitlines() if line.isdecimal()]
    run = run_of()
    logged = [row["a"] for row in run.scan_history() if "a" in row]
    assert logged[: len(acknowledged) + 1] == [1, *acknowledged]
    assert (run.state, run.exit_code) == ("crashed", 143)


def test_a_store_that_hangs_does_not_keep_the_process() -> None:
    body = """
    from quark.storage.embedded import EmbeddedStore
    EmbeddedStore.append = lambda self, batch: threading.Event().wait()
    wandb.log({'a': 2})
    kill()
    """
    assert ended(body).returncode == -15

    assert [row["a"] for row in run_of().scan_history()] == [1, 2]
    assert (run_of().state, run_of().exit_code) == ("crashed", 143)
