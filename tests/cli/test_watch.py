"""``quark run watch``: on a terminal of its own, and as lines where there is none."""

from __future__ import annotations

import fcntl
import json
import math
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from quark import TrainingSession
from quark.cli.asked_run import AskedRun
from quark.cli.target import opened
from quark.cli.watch_state import Watched
from quark.cli.watch_words import sparkline
from quark.clock import SYSTEM_CLOCK
from quark.settings import Settings
from tests.support.cli import COMMAND, json_of
from tests.support.cli_inside import called
from tests.support.cli_runs import HOSTILE, kept, trained
from tests.support.over_service import place, running

__all__ = ["kept", "place", "running"]

ALTERNATE, NORMAL = b"\x1b[?1049h", b"\x1b[?1049l"
SEQUENCES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def test_lines_are_told_while_a_run_goes_on_and_it_ends_with_the_run(kept: str) -> None:
    session = TrainingSession.start_run(project="live")
    session.log_row({"loss": 1.0}, 0)
    session.flush()
    words = ("run", "watch", session.run_id, "--json")
    watcher = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True)
    assert watcher.stdout is not None
    first = json.loads(watcher.stdout.readline())
    session.log_row({"loss": 0.5}, 9)
    session.flush()
    second = json.loads(watcher.stdout.readline())
    session.end_run("failed", reason="x")
    rest = watcher.stdout.read()
    watcher.stdout.close()

    assert (first["status"], first["step"], first["metrics"]) == ("running", 0, {"loss": 1.0})
    assert (second["step"], second["metrics"]) == (9, {"loss": 0.5})
    assert json.loads(rest.splitlines()[-1])["status"] == "failed"
    assert watcher.wait(60) == 1

    ended = called("run", "watch", session.run_id)
    assert (ended.code, len(ended.out.splitlines())) == (1, 1)
    assert "failed" in ended.out
    fine = trained()
    (line,) = json_of(called("run", "watch", fine, "--json"))
    assert line["status"] == "completed"
    assert called("run", "watch", fine, "no/such/key").ok().out.count("=") == 0


class Terminal:
    """A terminal with a command on it."""

    def __init__(self, *words: str, columns: int = 100, lines: int = 30) -> None:
        self.said = b""
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execv(COMMAND[0], [*COMMAND, *words])
        self.resize(columns, lines)

    def resize(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, size)

    def type(self, keys: bytes) -> None:
        os.write(self._file, keys)

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._file)[3] & termios.ECHO)

    def until(self, text: bytes) -> bytes:
        """Wait until the command has shown a text since the last call; return what it showed."""
        begun, deadline = len(self.said), SYSTEM_CLOCK.monotonic() + 60
        while text not in self.said[begun:]:
            assert SYSTEM_CLOCK.monotonic() < deadline, self.said[begun:]
            assert self._read(), self.said[begun:]
        return self.said[begun:]

    def end(self) -> int:
        """Wait for the end of the command; return its exit code."""
        while self._read():
            pass
        os.close(self._file)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        ready, _, _ = select.select([self._file], [], [], 60)
        try:
            part = os.read(self._file, 65536) if ready else b""
        except OSError:
            part = b""
        self.said += part
        return bool(part)


@pytest.fixture
def live() -> Iterator[TrainingSession]:
    session = TrainingSession.start_run(project="live", tags=("hot",))
    session.update_run(name=HOSTILE)
    for step in range(40):
        session.log_row({f"m{number:02}/{HOSTILE}": 1.0 / (step + 1) for number in range(40)}, step)
    session.log_row({"bad": math.nan}, 40)
    session.flush()
    yield session
    if not session.ended:
        session.end_run()


def test_the_screen_shows_the_run_live_and_q_leaves_it_as_it_was(live: TrainingSession) -> None:
    terminal = Terminal("run", "watch", live.run_id)

    screen = terminal.until(b"q leaves")
    assert ALTERNATE in screen
    assert not terminal.echoes()
    plain = SEQUENCES.sub(b"", screen).decode()
    assert "running" in plain
    assert "step 40" in plain
    assert r"m00/[bold]x[/] \x1b[31m<b>" in plain
    assert "█" in plain
    assert "more of 41" in plain
    live.log_row({"m00/late": 7.5}, 41)
    live.flush()
    terminal.until(b"more of 42")
    terminal.type(b"\x1b[B" * 60)
    terminal.until(b"late")
    terminal.resize(50, 12)
    terminal.until(b"q leaves")
    terminal.type(b"q")

    assert terminal.end() == 0
    after = terminal.said.rpartition(NORMAL)[2]
    assert b"running" in after  # what was seen last stays


def test_the_screen_ends_with_the_run_and_ctrl_c_only_leaves(live: TrainingSession) -> None:
    first = Terminal("run", "watch", live.run_id)
    second = Terminal("run", "watch", live.run_id)
    first.until(b"q leaves")
    second.until(b"q leaves")

    os.kill(second.pid, signal.SIGINT)
    assert second.end() == 0
    assert b"Traceback" not in second.said
    live.end_run("failed", reason=f"it broke {HOSTILE}")

    assert first.end() == 1
    after = SEQUENCES.sub(b"", first.said.rpartition(NORMAL)[2]).decode()
    assert "failed" in after
    assert "it broke [bold]x[/]" in after


def test_it_says_when_nothing_was_logged_yet_and_is_plain_on_a_dumb_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = called("run", "start").ok().out.strip()
    terminal = Terminal("run", "watch", run_id)
    terminal.until(b"No metrics yet")
    terminal.type(b"\x1b")
    assert terminal.end() == 0

    called("run", "finish", run_id).ok()
    assert called("run", "watch", run_id).ok().out.count("\n") == 1


def test_it_reads_only_what_has_changed(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="live") as session, opened(Settings.load()) as store:
        session.log_row({"train/loss": 2.0, "score": 1.0, "lr": 0.5}, 0)
        session.log_row({"train/loss": 1.0, "score": 3.0, "lr": 0.1}, 1)
        session.log_row({"train/loss": 1.5, "score": 2.0, "lr": math.inf}, 2)
        session.flush()
        read: list[str] = []
        buckets = store.points.buckets

        def counted(run_id: str, key: str, *rest: object) -> object:
            read.append(key)
            return buckets(run_id, key, *rest)  # type: ignore[arg-type]

        store.points.buckets = counted  # type: ignore[method-assign, assignment]
        watched = Watched(AskedRun(store, Settings.load(), session.run_id))

        seen, is_new = watched.look()
        assert is_new
        assert {one.key: (one.last, one.best) for one in seen.metrics} == {
            "train/loss": (1.5, 1.0),
            "score": (2.0, 3.0),
            "lr": (math.inf, None),
        }
        assert seen.metrics[2].nonfinite_count == 1
        assert seen.steps_per_second is not None
        assert sorted(read) == ["lr", "score", "train/loss"]
        assert not watched.look()[1]
        session.log_row({"score": 4.0}, 3)
        session.flush()
        seen, is_new = watched.look()
        assert (is_new, read[3:], seen.step) == (True, ["score"], 3)


@pytest.mark.parametrize(
    ("cells", "width", "expected"),
    [
        ([0.0, 1.0], 10, "▁█"),
        ([1.0, 1.0, 1.0], 10, "▁▁▁"),
        ([1e-6, 1e-3, 1.0], 10, "▁▅█"),  # logarithmic
        ([math.nan, 1.0, math.inf, 2.0], 10, "x▁x█"),
        ([math.nan], 3, "x"),
        ([], 3, ""),
        ([0.0, 0.0, 8.0, 8.0], 2, "▁█"),
        ([1.0], 0, ""),
    ],
)
def test_sparklines(cells: list[float], width: int, expected: str) -> None:
    assert sparkline(cells, width) == expected
    assert len(sparkline(cells, width, ascii_only=True)) == len(expected)
    assert sparkline(cells, width, ascii_only=True).isascii()
