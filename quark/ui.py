"""The only place that writes to the user's terminal.

Every line starts with ``quark:`` and goes to stderr, so that a script's own output stays its own.
A terminal gets a coloured prefix (unless ``NO_COLOR`` is set, which rich obeys); a file or a pipe
gets plain text. Speaking must never stop a training: a stream that is closed, gone or cannot
encode the text loses the message and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Literal, TextIO

Tone = Literal["note", "warning", "error"]

PREFIX = "quark: "

_STYLES: dict[Tone, str] = {"note": "cyan", "warning": "bold yellow", "error": "bold red"}

#: What a broken stream, or rich at the end of an interpreter, may raise.
_STREAM_FAULTS = (OSError, ValueError, RuntimeError, AttributeError, TypeError, ImportError)

_quiet = False
_said: dict[str, object] = {}  # no lock: a fork may happen at any time; setdefault is atomic


def set_quiet(quiet: bool) -> None:
    """Say nothing but errors from now on, or everything again."""
    global _quiet
    _quiet = quiet


def say(message: str, *, tone: Tone = "note") -> None:
    """Tell the user ``message``; each of its lines gets the prefix. Never raises.

    The tone ``error`` is for what costs the user data; the quiet switch does not hold it back.
    """
    stream = sys.stderr
    if (_quiet and tone != "error") or stream is None:
        return
    try:
        if stream.isatty():
            _write_styled(stream, message, _STYLES[tone])
        else:
            _write_plain(stream, message)
    except _STREAM_FAULTS:
        return


def show(lines: Iterable[Sequence[tuple[str, str]]]) -> None:
    """Tell the user several lines, each of pieces of text with the style that rich gives them.

    Without a terminal, or with ``NO_COLOR``, the styles fall away. Never raises.
    """
    stream = sys.stderr
    if _quiet or stream is None:
        return
    try:
        if not stream.isatty():
            _write_plain(stream, "\n".join("".join(text for text, _ in line) for line in lines))
            return
        from rich.console import Console
        from rich.text import Text

        console = Console(file=stream, highlight=False, soft_wrap=True)
        for line in lines:
            console.print(Text.assemble((PREFIX, _STYLES["note"]), *line))
    except _STREAM_FAULTS:
        return


def warn_once(key: str, message: str, *, tone: Tone = "warning") -> bool:
    """Warn the user the first time this process comes here with ``key``; say whether it did.

    Never raises. A message that the quiet switch held back is not made up for later.
    """
    mark = object()
    if _said.setdefault(key, mark) is not mark:
        return False
    say(message, tone=tone)
    return True


def forget_warnings() -> None:
    """Let every :func:`warn_once` speak again."""
    _said.clear()


def _write_plain(stream: TextIO, message: str) -> None:
    text = "".join(f"{PREFIX}{line}\n" for line in message.splitlines() or [""])
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _write_styled(stream: TextIO, message: str, style: str) -> None:
    from rich.console import Console
    from rich.text import Text

    # A console for each message: a shared one holds a lock, and a fork could freeze it.
    console = Console(file=stream, highlight=False, soft_wrap=True)
    for line in message.splitlines() or [""]:
        console.print(Text.assemble((PREFIX, style), line))
