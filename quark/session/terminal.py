"""What a terminal would show of a stream: its lines, once nothing rewrites them any more.

A progress bar that rewrites its line is one line, a live display of several lines is those lines,
and colours are nothing. A line is given out when it has ended. Where a program climbs back up to
lines that have ended, as many of the latest ones are held back from then on; what was given out
before and is changed is given out again.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: Characters of a line that are looked at; what goes beyond is not shown.
MAX_LINE_CHARACTERS: Final = 9 * 1024
#: How far back up a program may climb; a terminal is seldom higher.
_MAX_LINES_ABOVE: Final = 120
_MAX_UNFINISHED_SEQUENCE: Final = 4096

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_PIECE = re.compile(
    r"(?P<text>[^\x00-\x08\x0a-\x1f\x7f]+)"
    r"|(?P<feed>\n)"
    r"|(?P<start>\r)"
    r"|(?P<back>\x08)"
    r"|\x1b\[(?P<numbers>[0-?]*)[ -/]*(?P<command>[@-~])"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # a title, a link
    r"|(?P<unfinished>\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[ -/]+)?\Z)"
    r"|(?P<reverse>\x1bM)"
    r"|\x1b[ -/]*[0-~]"
    r"|."  # a control character that shows nothing
)


class ShownLine(NamedTuple):
    """A line as it stands; ``cut`` says that there was more of it."""

    text: str
    cut: bool


class _Line:
    __slots__ = ("cut", "given", "rewritten", "text")

    def __init__(self) -> None:
        self.text = ""
        self.cut = False
        self.rewritten = False
        self.given: str | None = None  # the text when it was given out last

    def shown(self) -> str:
        return self.text.rstrip() if self.rewritten else self.text


class TerminalLines:
    """Follows one stream. Not for several threads at once."""

    def __init__(self) -> None:
        self._lines = [_Line()]
        self._row = 0
        self._column = 0
        self._changed = 0  # the first row that may have to be given out
        self._held = 0  # how many of the latest lines may still be climbed back to
        self._feeds_since_climb = 0
        self._home: int | None = None  # the row that a repainted screen begins at
        self._rest = ""  # the beginning of a sequence whose end is yet to come

    def feed(self, text: str) -> list[ShownLine]:
        """Show ``text``; return the lines that have ended with it."""
        if self._rest:
            text, self._rest = self._rest + text, ""
        if "\x1b" in text:
            text = _COLOUR.sub("", text)
        line = self._lines[-1]
        plain = (
            not self._held
            and self._row == len(self._lines) - 1
            and self._column == len(line.text)
            and _CONTROL.search(text) is None
        )
        if plain:
            return self._feed_plain(line, text)
        for piece in _PIECE.finditer(text):
            self._show(piece)
        return self._ended_lines()

    def current(self) -> ShownLine:
        """Return the line that the cursor is on."""
        line = self._lines[self._row]
        return ShownLine(line.shown(), line.cut)

    def release(self) -> list[ShownLine]:
        """Return the lines held back: nothing has climbed back to them for a while."""
        self._held = 0
        return self._ended_lines()

    def close(self) -> list[ShownLine]:
        """Return what has not been given out: lines held back, and the last one if something
        is on it."""
        self._row = len(self._lines) - 1
        found = self.release()
        last = self._lines[-1]
        if last.shown().strip() and last.given != last.shown():
            found.append(ShownLine(last.shown(), last.cut))
        self._lines, self._rest = [_Line()], ""
        self._row = self._column = self._changed = 0
        return found

    # -- inside ------------------------------------------------------------------------------

    def _feed_plain(self, line: _Line, text: str) -> list[ShownLine]:
        """Go on at the end of the last line with text that moves the cursor nowhere else."""
        found = []
        for number, part in enumerate(text.split("\n")):
            if number:
                line.given = line.shown()
                found.append(ShownLine(line.given, line.cut))
                line = _Line()
                self._lines.append(line)
            if part:
                line.text += part
                if len(line.text) > MAX_LINE_CHARACTERS:
                    line.text = line.text[:MAX_LINE_CHARACTERS]
                    line.cut = True
        self._row = self._changed = len(self._lines) - 1
        self._column = len(line.text)
        self._forget_old_lines()
        return found

    def _show(self, piece: re.Match[str]) -> None:
        kind = piece.lastgroup
        if kind == "text":
            self._put(piece["text"])
        elif kind == "feed":
            self._feed_line()
        elif kind == "start":
            self._column = 0
        elif kind == "back":
            self._column = max(0, self._column - 1)
        elif kind == "command":
            self._obey(piece["command"], piece["numbers"])
        elif kind == "reverse":
            self._climb_to(self._row - 1)
        elif kind == "unfinished" and len(piece["unfinished"]) < _MAX_UNFINISHED_SEQUENCE:
            self._rest = piece["unfinished"]

    def _put(self, text: str) -> None:
        line, column = self._touched_line(), self._column
        room = MAX_LINE_CHARACTERS - column
        if len(text) > room:
            text = text[:room]
            line.cut = True
        end = column + len(text)
        if column > len(line.text):
            line.text = line.text.ljust(column)
        if column < len(line.text):
            line.rewritten = True
        line.text = line.text[:column] + text + line.text[end:]
        self._column = end

    def _touched_line(self) -> _Line:
        self._changed = min(self._changed, self._row)
        return self._lines[self._row]

    def _feed_line(self) -> None:
        self._row += 1
        self._column = 0
        if self._row == len(self._lines):
            self._lines.append(_Line())
            self._feeds_since_climb += 1
            if self._feeds_since_climb > 3 * self._held + 20:
                self._held, self._home = 0, None

    def _climb_to(self, row: int) -> None:
        self._row = max(0, row)
        self._held = max(self._held, len(self._lines) - 1 - self._row)
        self._feeds_since_climb = 0

    def _obey(self, command: str, numbers: str) -> None:
        if numbers.startswith("?"):
            if numbers in ("?25", "?1049") and (command == "h") == (numbers == "?25"):
                self._held, self._home = 0, None  # the cursor is shown again: a display has ended
            return
        first = numbers.partition(";")[0]
        count = min(int(first), MAX_LINE_CHARACTERS) if first.isdecimal() else 0
        step = max(1, count)
        if command in "AF":
            self._climb_to(self._row - step)
        elif command in "BE":
            self._row = min(self._row + step, len(self._lines) - 1)
        elif command == "C":
            self._column = min(self._column + step, MAX_LINE_CHARACTERS)
        elif command == "D":
            self._column = max(0, self._column - step)
        elif command == "G":
            self._column = step - 1
        elif command in "Hf":
            self._go_home()
        elif command == "K":
            self._erase_in_line(count)
        elif command == "J":
            self._erase_below(count)
        if command in "EF":
            self._column = 0

    def _go_home(self) -> None:
        """Go to where a screen that is painted again and again begins: below what was there."""
        if self._home is None:
            self._row = len(self._lines) - 1
            if self._lines[-1].text:
                self._feed_line()
            self._home = self._row
        self._climb_to(self._home)
        self._column = 0

    def _erase_in_line(self, which: int) -> None:
        line, column = self._touched_line(), self._column
        line.rewritten = True
        if which == 0:
            line.text = line.text[:column]
        elif which == 1:
            line.text = " " * min(column + 1, len(line.text)) + line.text[column + 1 :]
        else:
            line.text = ""

    def _erase_below(self, which: int) -> None:
        if which == 0:
            self._erase_in_line(0)
            del self._lines[self._row + 1 :]
            if self._home is not None and self._home > self._row:
                self._home = None
        elif which in (2, 3) and self._home is not None:
            self._changed = min(self._changed, self._home)
            for line in self._lines[self._home :]:
                line.text, line.rewritten = "", True

    def _ended_lines(self) -> list[ShownLine]:
        ended = min(len(self._lines) - 1 - self._held, self._row)
        found: list[ShownLine] = []
        if ended <= self._changed:
            return found
        for line in self._lines[self._changed : ended]:
            if line.given != (shown := line.shown()):
                line.given = shown
                found.append(ShownLine(shown, line.cut))
        self._changed = ended
        self._forget_old_lines()
        return found

    def _forget_old_lines(self) -> None:
        if len(self._lines) <= 2 * _MAX_LINES_ABOVE:
            return
        surplus = len(self._lines) - 1 - max(self._held, _MAX_LINES_ABOVE)
        surplus = min(surplus, self._row, self._changed)
        if self._home is not None:
            surplus = min(surplus, self._home)
        if surplus <= 0:
            return
        del self._lines[:surplus]
        self._row -= surplus
        self._changed -= surplus
        if self._home is not None:
            self._home -= surplus
