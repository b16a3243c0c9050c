"""Console lines of real sessions: read back, forked, killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quark import TrainingSession
from quark.persistence.open import open_store
from quark.records import ConsoleLineRecord
from quark.session.reading import deliver_tail
from quark.settings import Settings

FORKING = """
import os, sys
from quark import TrainingSession
session = TrainingSession.start_run(project="p", storage_dir=sys.argv[1])
session.handle.capture_console()
print("half a ", end="", flush=True)
child = os.fork()
if child == 0:
    assert "write" not in vars(sys.stdout)
    print("in the child", flush=True)
    session.log_row({"a": 1}, 1)
    session.end_run()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("line")
session.end_run()
print("after the end")
print(session.run_id)
"""


def test_a_forked_child_prints_and_is_not_followed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert "half a in the child\nline\nafter the end\n" in done.stdout
    assert lines_of(tmp_path, done.stdout.split()[-1]) == ["half a line"]


def lines_of(folder: Path, run_id: str) -> list[str]:
    settings = Settings.load(storage_dir=str(folder))
    store = open_store(settings)
    deliver_tail(store, run_id, settings)
    found = [line.text for line in store.records.read(ConsoleLineRecord, run_id)]
    store.close()
    return found


def test_lines_are_read_back_as_soon_as_they_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        session.handle.capture_console()
        print("one")
        print("two", file=sys.stderr)
        with session.reading() as store:
            lines = store.records.read(ConsoleLineRecord, session.run_id)
        print("x" * 20_000)

    assert [(line.stream, line.text) for line in lines] == [("stdout", "one"), ("stderr", "two")]
    assert capsys.readouterr().out == "one\n" + "x" * 20_000 + "\n"


KILLED = """
import os, signal, sys
from quark import TrainingSession
session = TrainingSession.start_run(project="p", storage_dir=sys.argv[1])
session.handle.capture_console()
for number in range(100):
    print("line", number)
print(session.run_id, file=sys.stderr, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_printed_survives_a_kill(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=False
    )

    run_id = done.stderr.split()[-1]
    assert lines_of(tmp_path, run_id) == [*(f"line {number}" for number in range(100)), run_id]


def test_a_pipe_that_broke_breaks_no_more_than_before(tmp_path: Path) -> None:
    script = FORKING.replace("os.fork()", "0; os.close(1); print('x' * 9000, flush=True)")

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert "OSError" in done.stderr
    assert os.strerror(9) in done.stderr
