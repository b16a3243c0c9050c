"""What a terminal shows is what is given out: no control sequences, no half of a progress bar."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from quark.session.terminal import MAX_LINE_CHARACTERS, TerminalLines


def shown(*texts: str) -> list[str]:
    terminal = TerminalLines()
    lines = [line.text for text in texts for line in terminal.feed(text)]
    return lines + [line.text for line in terminal.close()]


UP, DOWN, ERASE, HOME, CLEAR = "\x1b[1A", "\x1b[1B", "\x1b[2K", "\x1b[H", "\x1b[2J"
SHOW, HIDE = "\x1b[?25h", "\x1b[?25l"


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        pytest.param(["one\ntwo\n"], ["one", "two"], id="lines"),
        pytest.param(["o", "ne", "\n", "\n", "two"], ["one", "", "two"], id="in parts"),
        pytest.param(["\r1\r22\r333\n"], ["333"], id="rewritten"),
        pytest.param(["12345\rab\n"], ["ab345"], id="overwritten in part"),
        pytest.param(["100 %", "\r     \r", "next\n"], ["next"], id="cleared by spaces"),
        pytest.param(["dos\r\n", "line\r\n"], ["dos", "line"], id="line ends of two"),
        pytest.param(["abc\b\bX\n"], ["aXc"], id="back"),
        pytest.param(["a\tb\x07\n"], ["a\tb"], id="tab and bell"),
        pytest.param(["\x1b[1;31mred\x1b[0m \x1b[38:5:1mx\n"], ["red x"], id="colours"),
        pytest.param(["\x1b[", "31", "mred\n"], ["red"], id="colour in parts"),
        pytest.param(["\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link\n"], ["textlink"], id="osc"),
        pytest.param(["\x1b]0;ti", "tle\x07text\n"], ["text"], id="osc in parts"),
        pytest.param(["abc\x1b[2Gx\x1b[K\n"], ["ax"], id="column and erase"),
        pytest.param(["abc\x1b[1K\n"], [""], id="erase to the left"),
        pytest.param(["a\x1b[2Cb\x1b[2Dc\n"], ["a cb"], id="left and right"),
        pytest.param(["a\x1b[2D\x1b[5Db\n"], ["b"], id="not beyond the left"),
        pytest.param(["\x1bMx\x1b7y\x1bcz\x1b(Bw\n"], ["xyzw"], id="other escapes"),
        pytest.param([f"a\nb{UP}\rA{DOWN}\rB\n"], ["A", "B"], id="climbing in one write"),
        pytest.param(["a\n", f"b{UP}", "\rA", f"{DOWN}\rB\n"], ["a", "A", "B"], id="given again"),
        pytest.param(["a\nb\n\x1b[2F\x1b[Jc\n"], ["c"], id="erase below"),
        pytest.param(["last line"], ["last line"], id="not ended"),
        pytest.param(["   \r"], [], id="nothing left"),
        pytest.param(["x\x1b["], ["x"], id="ends in a sequence"),
        pytest.param(["\x1b[99999999999999999Cx\n"], [" " * MAX_LINE_CHARACTERS], id="far right"),
    ],
)
def test_lines_are_those_of_a_terminal(texts: list[str], lines: list[str]) -> None:
    found = shown(*texts)

    assert [line.rstrip() for line in found] == [line.rstrip() for line in lines]


def test_a_display_of_several_lines_is_those_lines() -> None:
    frames = [f"{HIDE}"]
    for number in range(300):
        back = f"\r{ERASE}{UP}{ERASE}{UP}{ERASE}" if number else ""
        frames.append(f"{back}one {number}\ntwo {number}\nthree {number}")
    frames.append(f"\n{SHOW}")

    found = shown(*frames, "after\n")

    assert found[-4:] == ["one 299", "two 299", "three 299", "after"]
    assert len(found) <= 4 + 3, "but what was there before the first climb"


def test_a_painted_screen_is_its_last_state() -> None:
    frames = [f"{CLEAR}{HOME}frame {number}\nstate {number}\n" for number in range(300)]

    found = shown("before\n", *frames, f"{SHOW}after\n")

    assert (found[0], found[-3:]) == ("before", ["frame 299", "state 299", "after"])
    assert len(found) <= 6


def test_lines_are_held_back_no_longer_than_a_display_lives() -> None:
    terminal = TerminalLines()
    terminal.feed(f"a\nb{UP}{DOWN}\n")

    found = [len(terminal.feed(f"{number}\n")) for number in range(40)]

    assert sum(found) >= 39


def test_a_line_without_end_is_cut() -> None:
    terminal = TerminalLines()

    for _ in range(100):
        assert terminal.feed("x" * 1000) == []
    (line,) = terminal.feed("\n")

    assert (len(line.text), line.cut) == (MAX_LINE_CHARACTERS, True)
    assert terminal.feed("short\n")[0] == ("short", False)


def test_many_lines_take_no_memory() -> None:
    terminal = TerminalLines()
    for number in range(5000):
        terminal.feed(f"{number}\n" if number % 2 else f"\r{number}\n")

    assert len(terminal._lines) < 300


WORDS = ("a", "word", "\n", "\r", "\b", "\t", "\x1b", "[", "\x07", "9;?", "\x1b]8;;", "\x1bM")
MOVES = (UP, DOWN, ERASE, HOME, CLEAR, SHOW, HIDE, "\x1b[5A", "\x1b[J", "\x1b[1J", "\x1b[K")
PIECES = st.sampled_from([*WORDS, *MOVES, "\x1b[0;1m"])


@given(st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=40))
def test_anything_can_be_shown(texts: list[str]) -> None:
    for line in shown(*texts):
        assert not set(line) & set("\x1b\n\r\b")


@given(st.lists(st.text(st.sampled_from("ab\n ✓"), max_size=8), max_size=30))
def test_plain_text_comes_back_as_it_is(texts: list[str]) -> None:
    *lines, last = "".join(texts).split("\n")

    assert shown(*texts) == lines + [last] * bool(last.strip())
