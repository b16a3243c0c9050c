"""Several runs and threads at once; and a process whose machine is taken away."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import quark.compat.wandb as wandb


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    settings = {"silent": True, "console": "off", **arguments.pop("settings", {})}
    return wandb.init(**{"project": "p", "settings": settings, **arguments})


def column(run_id: str, key: str) -> list[Any]:
    return [row[key] for row in wandb.Api().run(run_id).scan_history(keys=[key])]


def at_once(work: Callable[[int], None], count: int) -> None:
    """Call ``work`` in threads that begin together; raise what one of them raised."""
    begin, errors = threading.Barrier(count), list[BaseException]()

    def body(number: int) -> None:
        begin.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


# -- threads -------------------------------------------------------------------------------------


def test_each_thread_has_its_own_run() -> None:
    def train(number: int) -> None:
        with init(id=f"t{number}", reinit="create_new", config={"number": number}) as run:
            run.define_metric("loss", summary="max")
            for step in range(50):
                run.log({"loss": number * 1000 + step, "text": f"{number}"})
            run.summary["own"] = number
            assert run.step == 50

    first = init(id="first")
    at_once(train, 6)
    assert wandb.run is first
    wandb.log({"a": 1})
    first.finish()

    assert len(wandb.Api().runs("p")) == 7
    for number in range(6):
        found = wandb.Api().run(f"t{number}")
        assert column(found.id, "loss") == [number * 1000 + step for step in range(50)]
        assert set(column(found.id, "text")) == {str(number)}
        assert (found.config, found.state) == ({"number": number}, "finished")
        assert (found.summary["own"], found.summary["loss"]) == (
            *(number, {"max": number * 1000 + 49}),
        )
    assert column("first", "a") == [1]


def test_threads_that_fork_and_resume_at_once() -> None:
    with init(id="base") as run:
        for step in range(5):
            run.log({"a": step})

    def branch(number: int) -> None:
        arguments: dict[str, Any] = {"fork_from": f"base?_step={number}", "id": f"f{number}"}
        if number == 5:
            arguments = {"id": "base", "resume": "must"}
        with init(reinit="create_new", **arguments) as run:
            run.log({"a": 100 + number})

    at_once(branch, 6)

    for number in range(5):
        assert column(f"f{number}", "a") == [*range(number + 1), 100 + number]
    assert column("base", "a") == [0, 1, 2, 3, 4, 105]


def test_threads_log_into_one_run_and_attach_to_it() -> None:
    run = init(id="one")

    def log(number: int) -> None:
        attached = wandb.attach(run=run) if number % 2 else wandb.attach("one")
        assert attached is run
        for step in range(100):
            attached.log({f"k{number}": step})

    at_once(log, 4)
    assert run.step == 400
    run.finish()

    assert [column("one", f"k{number}") for number in range(4)] == [list(range(100))] * 4


# -- preemption ----------------------------------------------------------------------------------

PREEMPTED = """
import os, signal, sys
import quark.compat.wandb as wandb
run = wandb.init(project="p", id="r", resume="auto", settings={"silent": True, "console": "off"})
run.log({"a": run.step})
if sys.argv[2] == "marked":
    wandb.mark_preempting()
how = sys.argv[1]
if how == "SIGTERM" or how == "SIGKILL":
    os.kill(os.getpid(), getattr(signal, how))
if how == "error":
    raise RuntimeError("out of luck")
if how == "wait":
    print("ready", flush=True)
    sys.stdin.readline()
sys.exit(int(how) if how.isdigit() else 0)
"""


def child(how: str, marked: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PREEMPTED, how, marked]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "error", "3", "0"])
def test_a_run_that_is_preempted_says_so_and_is_gone_on_with(how: str) -> None:
    ended = child(how, "marked")

    assert (ended.returncode == 0) == (how == "0")
    found = wandb.Api().run("r")
    assert found.state == ("finished" if how == "0" else "preempted")
    assert column("r", "a") == [0]
    states = [run.state for run in wandb.Api().runs("p", filters={"state": "preempted"})]
    assert states == ([] if how == "0" else ["preempted"])
    run = init(resume="auto")
    assert (run.id == "r") == run.resumed == (how != "0")
    run.finish()
    assert wandb.Api().run("r").state == "finished"


def test_a_run_that_is_about_to_be_preempted_is_preempting() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PREEMPTED, "wait", "marked"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdout, child.stdin:
        child.stdout.readline()
        assert wandb.Api().run("r").state == "preempting"
        assert [run.id for run in wandb.Api().runs("p", {"state": "preempting"})] == ["r"]
        child.send_signal(signal.SIGTERM)
        child.wait(60)

    assert wandb.Api().run("r").state == "preempted"
    with init(mode="disabled") as run:
        run.mark_preempting()
