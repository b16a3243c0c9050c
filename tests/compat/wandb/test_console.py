"""What a run's process prints is kept, whatever prints it, and the streams are given back."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live
from rich.progress import Progress
from tqdm import tqdm

import quark.compat.wandb as wandb

QUIET = {"silent": True}


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    return wandb.init(**{"project": "p", "settings": QUIET, **arguments})


def contents(run: wandb.Run) -> list[str]:
    run.finish()
    return [line.content for line in wandb.Api().run(run.id).console_logs()]


class Screen(io.StringIO):
    """A terminal to programs that ask."""

    def isatty(self) -> bool:
        return True


def followed() -> bool:
    """Whether the shim hears stdout; the real wandb, once imported, overlays it for good."""
    return getattr(sys.stdout.write, "__module__", None) == "quark.session.stream_tap"


# -- what is kept --------------------------------------------------------------------------------


def test_lines_are_read_back_with_their_streams(capsys: pytest.CaptureFixture[str]) -> None:
    run = init()
    print("out")
    print("err", file=sys.stderr)
    print("last")
    run.finish()

    logs = wandb.Api().run(run.id).console_logs()

    assert [(line.number, line.level, line.content) for line in logs] == [
        (0, "", "out"),
        (1, "error", "err"),
        (2, "", "last"),
    ]
    times = [line.timestamp for line in logs]
    assert all(time is not None and time.tzinfo is not None for time in times)
    assert [line.content for line in wandb.Api().run(run.id).console_logs(last=1)] == ["last"]
    assert len(logs[1:]) == 2
    assert capsys.readouterr() == ("out\nlast\n", "err\n")


def test_an_open_run_can_be_read() -> None:
    run = init()
    print("so far")

    assert [line.content for line in wandb.Api().run(run.id).console_logs()] == ["so far"]


def test_a_bar_is_one_line() -> None:
    run = init()
    for _ in tqdm(range(2000), desc="train", mininterval=0):
        pass
    for _ in tqdm(range(3), desc="outer"):
        for _ in tqdm(range(500), desc="inner", mininterval=0, leave=False):
            pass
    tqdm.write("done")

    lines = contents(run)

    assert "2000/2000" in lines[0]
    assert "done" in lines
    assert [line for line in lines if line.startswith("outer: 100%")]
    assert len(lines) < 10


def test_bars_below_each_other_are_their_last_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Screen())
    run = init()
    bars = [tqdm(total=300, desc=name, position=at, mininterval=0) for at, name in enumerate("ab")]
    for _ in range(300):
        for bar in bars:
            bar.update()
    for bar in bars:
        bar.close()

    lines = contents(run)

    for name in "ab":
        assert [line for line in lines if line.startswith(f"{name}: 100%")]
    assert len(lines) < 8


def test_a_rich_display_is_its_last_state(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    run = init()
    console = Console(force_terminal=True, width=70, color_system="standard")
    with Progress(console=console, auto_refresh=False) as progress:
        tasks = [progress.add_task(f"[red]{name}", total=200) for name in ("one", "two")]
        for number in range(200):
            for task in tasks:
                progress.advance(task)
            progress.refresh()
            if number == 100:
                progress.console.print("[bold]half[/bold] way")
    with Live("live 0", console=console, auto_refresh=False) as live:
        for number in range(100):
            live.update(f"live {number}\nand more", refresh=True)
    console.print("[green]the end")

    lines = contents(run)

    assert "half way" in lines
    assert len([line for line in lines if line.startswith("one") and "100%" in line]) == 1
    assert len([line for line in lines if line.startswith("two") and "100%" in line]) == 1
    assert lines[-3:] == ["live 99", "and more", "the end"]
    assert len(lines) < 15
    assert "\x1b[" in screen.getvalue()


@pytest.mark.parametrize("made", ["before", "after"])
def test_logging_handlers_are_heard_whenever_they_were_made(made: str) -> None:
    logger = logging.getLogger(f"quark-test-{made}")
    handler = logging.StreamHandler()
    run = init()
    if made == "after":
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)

    logger.warning("heard")
    logger.removeHandler(handler)

    assert contents(run) == ["WARNING heard"]


def test_a_script_s_own_stream_is_heard_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    own = io.StringIO()  # as in a notebook: without a file number
    monkeypatch.setattr(sys, "stdout", own)
    run = init()
    print("to its own")

    assert contents(run) == ["to its own"]
    assert sys.stdout is own
    assert not followed()


def test_a_stream_put_in_front_afterwards_is_heard_once() -> None:
    class Tee:
        def __init__(self, terminal: Any) -> None:
            self.terminal = terminal

        def write(self, text: str) -> None:
            self.terminal.write(text)

        def flush(self) -> None:
            self.terminal.flush()

    run, before = init(), sys.stdout
    sys.stdout = Tee(before)
    print("through a tee")
    sys.stdout = before

    assert contents(run) == ["through a tee"]


def test_the_output_log_is_among_the_files() -> None:
    run = init()
    print("kept")
    run.write_logs("written by hand")
    path = Path(run.dir, "output.log").resolve()
    assert contents(run) == ["kept", "written by hand"]
    with init(id=run.id, resume="must"):
        print("more")

    assert path.read_text() == "kept\nwritten by hand\nmore\n"


# -- what is not ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["setting", "variable"])
def test_nothing_is_followed_if_nothing_is_to_be(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "variable":
        monkeypatch.setenv("WANDB_CONSOLE", "off")
        run = init()
    else:
        run = init(settings={**QUIET, "console": "off"})

    assert not followed()
    print("not kept")
    assert contents(run) == []


def test_a_disabled_run_follows_nothing() -> None:
    run = init(mode="disabled")
    run.write_logs("nothing")

    assert not followed()


def test_a_console_that_is_no_console_is_refused() -> None:
    with pytest.raises(ValueError, match="wrap_emu"):
        init(settings={**QUIET, "console": "loud"})

    assert not followed()
    assert wandb.run is None


# -- the streams come back -----------------------------------------------------------------------


def test_the_streams_come_back_after_an_exception() -> None:
    before = sys.stdout, sys.stderr

    def train() -> None:
        with init():
            assert followed()
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        train()

    assert (sys.stdout, sys.stderr) == before
    assert not followed()


def test_the_streams_are_untouched_by_an_init_that_fails() -> None:
    init(id="there").finish()

    for arguments in ({"id": "there", "resume": "never"}, {"project": "a/b"}, {"config": 3}):
        with pytest.raises((wandb.Error, TypeError, ValueError)):
            init(**arguments)
        assert not followed()


def test_two_runs_hear_the_same_and_end_apart() -> None:
    first = init()
    second = init(reinit="create_new")
    print("both")
    first.finish()
    print("second")

    assert contents(second) == ["both", "second"]
    assert contents(first) == ["both"]
    assert not followed()


def test_runs_in_a_loop_keep_their_own_lines() -> None:
    runs = []
    for number in range(3):
        with init() as run:
            print("run", number)
        runs.append(run)
        print("between")

    assert [contents(run) for run in runs] == [["run 0"], ["run 1"], ["run 2"]]
