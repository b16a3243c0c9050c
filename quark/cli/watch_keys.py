"""Single keys of the terminal, without Return; and the terminal as it was, afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
from collections.abc import Callable, Iterator

_MOST_BYTES = 4096
#: A key sends a letter, or a sequence such as an arrow's.
_KEY = re.compile(rb"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])|.", re.DOTALL)
_NAMES = {
    **dict.fromkeys((b"\x1b[A", b"\x1bOA", b"k"), "up"),
    **dict.fromkeys((b"\x1b[B", b"\x1bOB", b"j"), "down"),
    **dict.fromkeys((b"q", b"Q", b"\x1b"), "q"),
}

#: Waits some seconds for keys and returns those that came: "up", "down", "q".
Wait = Callable[[float], list[str]]


@contextlib.contextmanager
def keys() -> Iterator[Wait | None]:
    """Give what waits for a key; None where standard input is no terminal."""
    if not sys.stdin.isatty():
        yield None
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)  # Ctrl-C still interrupts
        yield lambda seconds: _wait(descriptor, seconds)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _wait(descriptor: int, seconds: float) -> list[str]:
    ready, _, _ = select.select([descriptor], [], [], seconds)
    if not ready:
        return []
    read = os.read(descriptor, _MOST_BYTES)
    if not read:  # nobody is there any more
        return ["q"]
    return [_NAMES[key] for key in _KEY.findall(read) if key in _NAMES]
