"""What is printed passes through untouched, is kept as lines, and the streams come back."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quark import ui
from quark.pipeline.faults import FaultLog
from quark.session.console import MAX_LINE_CHARACTERS, ConsoleCapture

Kept = list[tuple[str, str, bool]]
Start = Callable[..., ConsoleCapture]
Fresh = Callable[[], None]


@pytest.fixture
def kept() -> Kept:
    return []


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Fresh:
    """Put fresh streams in place; not at once, because pytest changes its own between the two."""

    def fresh() -> None:
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape")
        out.reconfigure(write_through=True)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", io.StringIO())

    return fresh


@pytest.fixture
def start(kept: Kept) -> Iterator[Start]:
    """Begin to follow; whatever is begun is ended with the test."""
    captures: list[ConsoleCapture] = []

    def begin(keep: Callable[[str, str, bool], object] | None = None, **more: Any) -> Any:
        def append(stream: str, text: str, cut: bool) -> None:
            kept.append((stream, text, cut))

        captures.append(ConsoleCapture(keep or append, more.get("log_path"), FaultLog()))
        return captures[-1]

    yield begin
    for capture in captures:
        capture.close()


def texts(kept: Kept) -> list[str]:
    return [text for _, text, _ in kept]


def passed(stream: Any) -> str:
    if isinstance(stream, io.StringIO):
        return stream.getvalue()
    return str(stream.buffer.getvalue().decode())


def test_a_line_is_kept_when_its_print_returns(start: Start, kept: Kept, streams: Fresh) -> None:
    streams()
    start()

    print("loss", 0.5)
    print("warning", file=sys.stderr)

    assert kept == [("stdout", "loss 0.5", False), ("stderr", "warning", False)]
    assert passed(sys.stdout) == "loss 0.5\n"
    assert passed(sys.stderr) == "warning\n"


def test_the_streams_are_given_back_as_they_were(start: Start, streams: Fresh) -> None:
    streams()
    before, attributes = (sys.stdout, sys.stderr), dict(vars(sys.stdout))

    capture = start()
    assert (sys.stdout, sys.stderr) == before
    capture.close()
    capture.close()

    assert (sys.stdout, sys.stderr) == before
    assert vars(sys.stdout) == attributes
    assert getattr(sys.stdout.write, "__self__", None) is sys.stdout


def test_the_rest_is_kept_at_the_end(start: Start, kept: Kept) -> None:
    capture = start()
    print("not ended", end="")
    print("99 %\r", end="", file=sys.stderr)
    assert kept == []

    capture.close()
    print("later")

    assert texts(kept) == ["not ended", "99 %"]


def test_a_stream_without_attributes_is_stood_in_for(
    start: Start, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bare:
        __slots__ = ("heard",)

        def __init__(self) -> None:
            self.heard: list[str] = []

        def write(self, text: str) -> int:
            self.heard.append(text)
            return len(text)

        def isatty(self) -> bool:
            return True

    bare = Bare()
    monkeypatch.setattr(sys, "stdout", bare)
    capture = start()

    print("through")
    sys.stdout.writelines(["lines\n", "too\n"])

    assert texts(kept) == ["through", "lines", "too"]
    assert bare.heard == ["through", "\n", "lines\n", "too\n"]
    assert sys.stdout.isatty()
    capture.close()
    assert sys.stdout is bare


def test_a_stream_that_somebody_else_overlaid_stays_theirs(
    start: Start, kept: Kept, streams: Fresh
) -> None:
    streams()
    capture = start()
    ours = sys.stdout.write

    def theirs(text: str) -> int:
        return ours(text.upper())

    sys.stdout.write = theirs  # type: ignore[method-assign]
    print("loud")
    capture.close()
    print("quiet")

    assert sys.stdout.write is theirs
    assert texts(kept) == ["LOUD"]
    assert passed(sys.stdout) == "LOUD\nQUIET\n"


def test_several_follow_one_stream(start: Start, kept: Kept, streams: Fresh) -> None:
    streams()
    first, second = start(), start()
    print("twice")
    first.close()
    print("once")
    second.close()
    print("never")

    assert texts(kept) == ["twice", "twice", "once"]
    assert "write" not in vars(sys.stdout)


def test_one_stream_for_both_is_followed_as_both(
    start: Start, kept: Kept, monkeypatch: pytest.MonkeyPatch, streams: Fresh
) -> None:
    streams()
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    start()

    print("x")

    assert kept == [("stdout", "x", False)]


@pytest.mark.parametrize("stream", [None, object()])
def test_what_is_no_stream_is_left_alone(
    start: Start, kept: Kept, monkeypatch: pytest.MonkeyPatch, stream: object
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    start()

    print("x", file=sys.stderr)

    assert texts(kept) == ["x"]


def test_an_error_of_the_stream_is_the_stream_s(
    start: Start, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError("the disk is full")

    monkeypatch.setattr(sys, "stderr", Full())
    start()

    with pytest.raises(OSError, match="full"):
        print("x", file=sys.stderr)
    with pytest.raises(TypeError):
        sys.stdout.write(b"bytes")  # type: ignore[arg-type]

    assert kept == []


def test_secrets_and_endless_lines_are_not_kept(start: Start, kept: Kept, streams: Fresh) -> None:
    streams()
    start()
    print("login with password=hunter2hunter2 now")
    print("-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\nabcdef\n-----END RSA PRIVATE KEY-----\ndone")
    print("x" * 10 * MAX_LINE_CHARACTERS)
    print("\udcff")
    sys.stdout.flush()

    lines = texts(kept)
    assert lines[:6] == ["login with password=[redacted] now", *["[redacted]"] * 4, "done"]


def test_a_long_line_is_cut_and_says_so(start: Start, kept: Kept, streams: Fresh) -> None:
    streams()
    capture = start()
    print("x" * 10 * MAX_LINE_CHARACTERS)

    capture.close()

    assert kept == [("stdout", "x" * MAX_LINE_CHARACTERS, True)]


def test_long_texts_wait_for_the_background_in_their_order(
    start: Start, kept: Kept, streams: Fresh
) -> None:
    streams()
    capture = start()
    many = [f"line {number}" for number in range(1000)]

    print("before")
    print("\n".join(many))
    print("after")
    assert texts(kept) == ["before"]
    capture.work()

    assert texts(kept) == ["before", *many, "after"]
    print("at once")
    assert texts(kept)[-1] == "at once"


def test_what_waits_is_bounded(start: Start, kept: Kept) -> None:
    start()
    for number in range(3000):
        print(f"\r{number}", end="")

    print("\nx" * 2000)
    for _ in range(3000):
        print("y")

    assert len(kept) > 3000


def test_the_log_holds_the_same_lines(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "files" / "output.log"
    capture = start(log_path=path)
    print("one\rONE")
    capture.write("written\nby hand")
    capture.work()
    assert path.read_text() == "ONE\nwritten\nby hand\n"

    print("api_key=abcdefgh12345678")
    capture.close()

    assert path.read_text().splitlines()[3:] == ["api_key=[redacted]"]


def test_a_log_that_cannot_be_written_costs_the_log(
    start: Start, kept: Kept, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    capture = start(log_path=tmp_path / "file" / "output.log")
    print("one")
    capture.work()
    print("two")
    capture.close()

    assert [text for text in texts(kept) if not text.startswith(ui.PREFIX)] == ["one", "two"]


def test_a_fault_of_ours_is_said_once_and_ends_it(start: Start, streams: Fresh) -> None:
    streams()

    def broken(stream: str, text: str, cut: bool) -> None:
        raise ZeroDivisionError("ours")

    start(broken)
    print("one")
    print("two")

    assert passed(sys.stdout) == "one\ntwo\n"
    assert passed(sys.stderr).count("ours") == 1
    assert "write" not in vars(sys.stdout)


def test_keeping_a_line_may_print(start: Start, kept: Kept, streams: Fresh) -> None:
    streams()

    def talkative(stream: str, text: str, cut: bool) -> None:
        kept.append((stream, text, cut))
        if len(kept) < 5:
            ui.say(f"about {len(kept)}")

    start(talkative)
    print("one")

    assert texts(kept) == ["one", *(f"quark: about {n}" for n in range(1, 5))]


def test_threads_lose_no_line(start: Start, kept: Kept, streams: Fresh) -> None:
    streams()
    capture = start()

    def work(name: str) -> None:
        for number in range(500):
            sys.stderr.write(f"{name} {number}\n")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    capture.close()

    for name in "abcd":
        own = [text for text in texts(kept) if text.startswith(name)]
        assert own == [f"{name} {number}" for number in range(500)]


def test_a_progress_bar_is_shown_now_and_then_as_it_stands(
    start: Start, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = start()
    monkeypatch.setattr("quark.session.console._UNFINISHED_SECONDS", -1.0)
    monkeypatch.setattr("quark.session.console._HELD_SECONDS", -1.0)
    for number in range(100):
        print(f"\r{number} %", end="")
        if number % 50 == 0:
            capture.work()
            capture.work()
    print()

    assert texts(kept) == ["0 %", "50 %", "99 %"]


def test_lines_that_were_held_back_are_kept_when_it_is_quiet(
    start: Start, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = start()
    print("one\ntwo\x1b[1A\rONE\x1b[1B")
    assert texts(kept) == ["ONE"]

    monkeypatch.setattr("quark.session.console._HELD_SECONDS", -1.0)
    capture.work()
    assert texts(kept) == ["ONE"]
    capture.work()

    assert texts(kept) == ["ONE", "two"]
