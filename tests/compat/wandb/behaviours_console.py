"""What is kept of what a script prints, and what happens to its streams."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

SETTINGS = {"silent": True}


def started(wandb: Any, **settings: Any) -> Any:
    return wandb.init(project="p", settings={**SETTINGS, **settings})


def kept_lines(run: Any) -> list[str]:
    path = Path(run.dir) / "output.log"
    run.finish()
    return path.read_text().splitlines() if path.exists() else ["<no file>"]


def behaviour_prints(wandb: Any, see: Any) -> None:
    run = started(wandb)
    print("plain")
    print("several", "parts", 1)
    print("to stderr", file=sys.stderr)
    print("two\nlines")
    print()
    sys.stdout.writelines(["written\n", "as lines\n"])
    print("in ", end="")
    print("parts", end="\n")
    print("ünïcödé ✓")
    print("a tab\there")
    see("write returns", lambda: sys.stdout.write("counted\n"))
    see("not a text", lambda: sys.stdout.write(1))  # type: ignore[arg-type]
    sys.stdout.flush()
    print("the last one is not ended", end="")
    see("kept", lambda: kept_lines(run))
    print()


def behaviour_rewritten(wandb: Any, see: Any) -> None:
    run = started(wandb)
    for number in range(100):
        sys.stderr.write(f"\r{number} %")
    sys.stderr.write("\n")
    print("overwritten\rOVER")
    print("carriage return and line feed\r\n", end="")
    print("deleted\b\b\b\x1b[Kd")
    print("first\nsecond\x1b[1A\rFIRST\x1b[1B")
    see("kept", lambda: kept_lines(run))


def behaviour_progress_bars(wandb: Any, see: Any) -> None:
    from tqdm import tqdm

    run = started(wandb)
    form = "{desc}{percentage:3.0f}% {n}/{total}"
    for _ in tqdm(range(200), bar_format=form, mininterval=0):
        pass
    for _ in tqdm(range(20), bar_format=form, mininterval=0, leave=False, desc="gone"):
        pass
    print("after the bars")
    see("kept", lambda: kept_lines(run))


def behaviour_loggers(wandb: Any, see: Any) -> None:
    before = logging.getLogger("before")
    before.addHandler(logging.StreamHandler())
    before.addHandler(logging.StreamHandler(sys.stdout))
    run = started(wandb)
    after = logging.getLogger("after")
    after.addHandler(logging.StreamHandler())
    before.warning("from before")
    after.warning("from after")
    see("kept", lambda: kept_lines(run))


def behaviour_colours(wandb: Any, see: Any) -> None:
    run = started(wandb)
    print("\x1b[31mred\x1b[0m")
    see("kept", lambda: kept_lines(run))


def behaviour_secrets(wandb: Any, see: Any) -> None:
    run = started(wandb)
    print("password=hunter2hunter2")
    see("kept", lambda: kept_lines(run))


def behaviour_not_followed(wandb: Any, see: Any) -> None:
    run = started(wandb, console="off")
    print("not kept")
    run.write_logs("written")
    see("kept", lambda: kept_lines(run))


def behaviour_written_logs(wandb: Any, see: Any) -> None:
    run = started(wandb)
    print("printed")
    run.write_logs("written")
    see("kept", lambda: kept_lines(run))
    see("after the end", lambda: run.write_logs("late"))


def behaviour_low_level_writes(wandb: Any, see: Any) -> None:
    run = started(wandb)
    print("high")
    sys.stdout.flush()
    os.write(1, b"low\n")
    sys.stdout.buffer.write(b"buffer\n")
    see("kept", lambda: kept_lines(run))


def behaviour_streams(wandb: Any, see: Any) -> None:
    before = sys.stdout, sys.stderr
    run = started(wandb)
    see("the same objects while open", lambda: (sys.stdout, sys.stderr) == before)
    see("encoding", lambda: sys.stdout.encoding.lower())
    see("fileno", lambda: sys.stdout.fileno())
    see("isatty", lambda: sys.stdout.isatty())
    run.finish()
    see("the same objects afterwards", lambda: (sys.stdout, sys.stderr) == before)
    print("printed after the end")
    see("nothing more is kept", lambda: Path(run.dir, "output.log").exists())


def behaviour_two_runs(wandb: Any, see: Any) -> None:
    first = started(wandb)
    print("one")
    second = wandb.init(project="p", reinit="create_new", settings=SETTINGS)
    print("both")
    see("second", lambda: kept_lines(second))
    print("one again")
    see("first", lambda: kept_lines(first))


def behaviour_settings(wandb: Any, see: Any) -> None:
    see("default", lambda: wandb.Settings().console)
    for value in ("auto", "off", "wrap", "redirect", "wrap_raw", "wrap_emu", "nothing", 3):
        see(f"set {value}", lambda value=value: wandb.Settings(console=value).console)
