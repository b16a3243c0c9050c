"""Speaking to the user: one prefix, one stream, and never an exception."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from quark import ui


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Raising(io.StringIO):
    """A stream whose every write fails with ``error``."""

    def __init__(self, error: Exception, *, terminal: bool = False) -> None:
        super().__init__()
        self._error = error
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        raise self._error


def closed_stream() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


def test_a_message_goes_to_stderr_with_the_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    ui.say("the run is kept")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "quark: the run is kept\n"


def test_every_line_has_the_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    ui.say("one\ntwo")

    assert capsys.readouterr().err == "quark: one\nquark: two\n"


def test_a_terminal_gets_colour_and_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    ui.say("kept in [bold]/data[/bold], 12 points " + "x" * 200)

    written = terminal.getvalue()
    assert "\x1b[" in written
    assert "kept in [bold]/data[/bold], 12 points " + "x" * 200 + "\n" in written


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    ui.say("kept")

    assert "quark: " in terminal.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert "\x1b[3" not in terminal.getvalue()


def test_quiet_says_only_errors_until_it_is_lifted(capsys: pytest.CaptureFixture[str]) -> None:
    ui.set_quiet(True)
    ui.say("unheard")
    ui.warn_once("key", "unheard")
    ui.say("lost 3 rows", tone="error")
    ui.set_quiet(False)
    ui.say("heard")

    assert capsys.readouterr().err == "quark: lost 3 rows\nquark: heard\n"


def test_a_warning_is_said_once_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    said = [ui.warn_once(key, f"about {key}") for key in ("disk", "disk", "network", "disk")]

    assert said == [True, False, True, False]
    assert capsys.readouterr().err == "quark: about disk\nquark: about network\n"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: None, id="no-stderr"),
        pytest.param(closed_stream, id="closed"),
        pytest.param(lambda: Raising(BrokenPipeError()), id="broken-pipe"),
        pytest.param(lambda: Raising(OSError(28, "full"), terminal=True), id="terminal-gone"),
        pytest.param(lambda: Raising(RuntimeError("lost sys.stderr")), id="lost"),
        pytest.param(object, id="not-a-stream"),
    ],
)
def test_a_broken_stream_never_raises(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", make())

    ui.say("lost")

    assert ui.warn_once("key", "lost as well")


def test_what_the_stream_cannot_encode_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))

    ui.say("loss ≤ 3")

    assert raw.getvalue() == b"quark: loss \\u2264 3\n"


def test_plain_text_does_not_load_rich(python: str) -> None:
    script = "import sys; from quark import ui; ui.say('x'); print('rich' in sys.modules)"

    result = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout == "False\n"
