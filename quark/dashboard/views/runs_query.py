"""The words of a filter: ``config.lr < 0.01 status:failed,interrupted -tag:old "two words"``.

Terms are joined by "and". A term is a text to search for, or a field, an operator and a value:

* ``=`` ``:`` equal (several values with commas: any of them; ``*``: there is one); ``:`` also finds
  a part of a name, an id or notes
* ``!=`` not equal, also where there is nothing
* ``<`` ``<=`` ``>`` ``>=``; ``~`` ``!~`` holds a text, or not
* ``-`` before a term turns it round

Seconds may have a unit (``duration > 2h``), times are dates or ages (``created > 2026-01-31``).
Names and values with blanks, and texts that look like a term, are put in quotes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple

from quark.dashboard.views.runs_fields import (
    MOVING,
    Field,
    close_names,
    field,
    find_field,
)
from quark.dashboard.views.runs_rows import Row
from quark.errors import SchemaValidationError

Test = Callable[[Row, int], bool]

_MAX_CHARACTERS = 2_000
_MAX_TERMS = 50
_BLANKS = re.compile(r"\s*")
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"<>=!~:]+|[!:](?![=~])')
_VALUE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])+')
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+')
_OPERATOR = re.compile(r"\s*(<=|>=|!=|==|!~|=|<|>|~|:)\s*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


class Query(NamedTuple):
    """A filter. ``is_moving``: what it finds may change as time goes by; ``needs_depth``: it asks
    for what rests in the runs' own files."""

    tests: tuple[Test, ...]
    is_moving: bool = False
    needs_depth: bool = False

    def matches(self, row: Row, now_us: int) -> bool:
        """Say whether a row is one of those that are asked for."""
        return all(test(row, now_us) for test in self.tests)


def parse_query(texts: Collection[str], known: Collection[str] = ()) -> Query:
    """Return the filter that some texts describe together.

    Raises:
        SchemaValidationError: A text is no filter.

    >>> query = parse_query(["status:failed", "config.lr < 0.01"])
    >>> len(query.tests)
    2
    """
    tests: list[Test] = []
    fields: set[str] = set()
    for text in texts:
        if len(text) > _MAX_CHARACTERS:
            raise SchemaValidationError(
                f"The filter has {len(text)} characters; at most {_MAX_CHARACTERS} are read."
            )
        place = _skip(text, 0)
        while place < len(text):
            test, place = _term(text, place, known, fields)
            tests.append(test)
            place = _skip(text, place)
    if len(tests) > _MAX_TERMS:
        raise SchemaValidationError(
            f"The filter has {len(tests)} terms; at most {_MAX_TERMS} are read."
        )
    return Query(tuple(tests), bool(fields & MOVING) or "created" in fields, "health" in fields)


def _skip(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _term(text: str, place: int, known: Collection[str], fields: set[str]) -> tuple[Test, int]:
    is_negated = text[place] == "-" and place + 1 < len(text) and not text[place + 1].isspace()
    if is_negated:
        place += 1
    word = _WORD.match(text, place)
    if word is None:
        raise SchemaValidationError(
            f"The filter cannot be read at {text[place : place + 40]!r}: a field's name or a text "
            "must stand there. A text with such signs is put in quotes."
        )
    operator = _OPERATOR.match(text, word.end())
    if operator is None or _is_plain(word[0], operator, text, known):
        end = word.end()
        if operator is not None:  # a text with a colon in it
            rest = _VALUE.match(text, place)
            end = rest.end() if rest else end
        test = _search(_plain(text[place:end]))
        return (_not(test) if is_negated else test), end
    value = _VALUE.match(text, operator.end())
    name = _plain(word[0])
    if value is None:
        raise SchemaValidationError(
            f"The filter says nothing after {name[:80]!r} {operator[1]}; a value must follow, "
            'such as 0.01, failed or "two words".'
        )
    found = field(name, known)
    fields.add(found.name)
    test = _comparison(found, operator[1], value[0])
    return (_not(test) if is_negated else test), value.end()


def _is_plain(word: str, operator: re.Match[str], text: str, known: Collection[str]) -> bool:
    """Say whether a word with a colon is just a text, such as an address."""
    if operator[0] != ":" or word.startswith('"'):
        return False
    return find_field(word) is None and not close_names(word, known)


def _plain(text: str) -> str:
    """Return a text without the quotes around it, or around parts of it."""
    parts = re.findall(r'"(?:[^"\\]|\\.)*"|[^"]+', text)
    return "".join(
        _ESCAPED.sub(r"\1", part[1:-1]) if part.startswith('"') and len(part) > 1 else part
        for part in parts
    )


def _not(test: Test) -> Test:
    return lambda row, now_us: not test(row, now_us)


def _search(text: str) -> Test:
    wanted = text.casefold()
    return lambda row, now_us: wanted in row.searched


def _comparison(asked: Field, operator: str, text: str) -> Test:
    value = asked.value
    if operator in ("<", "<=", ">", ">="):
        return _ordered(asked, operator, _plain(text))
    parts = [(_plain(part), part.startswith('"')) for part in _PART.findall(text)]
    if operator in ("~", "!~") or (operator == ":" and asked.kind == "text"):
        wanted = [part.casefold() for part, _ in parts]
        if operator == ":" and text == "*":
            return lambda row, now_us: value(row, now_us) not in (None, "")

        def holds(row: Row, now_us: int) -> bool:
            there = _as_text(value(row, now_us))
            return any(part in there for part in wanted)

        return _not(holds) if operator == "!~" else holds
    tests = [_equal(asked, part, is_quoted) for part, is_quoted in parts]

    def is_one(row: Row, now_us: int) -> bool:
        there = value(row, now_us)
        return any(test(there, now_us) for test in tests)

    return _not(is_one) if operator == "!=" else is_one


def _equal(asked: Field, part: str, is_quoted: bool) -> Callable[[Any, int], bool]:
    if part == "*" and not is_quoted:
        return lambda there, now_us: there is not None and there not in ("", ())
    text = part.casefold()
    if asked.kind == "time":
        low, high = _day(asked, part)
        return lambda there, now_us: there is not None and low <= there < high
    number = _seconds(asked, part) if asked.kind == "seconds" else _number(part)

    def equal(there: Any, now_us: int) -> bool:
        if isinstance(there, tuple):
            return any(one.casefold() == text for one in there)
        if isinstance(there, bool):
            return text == ("true" if there else "false") or text == ("yes" if there else "no")
        if isinstance(there, (int, float)):
            if number is None:
                return False
            return there == number or (there != there and number != number)
        return there is not None and str(there).casefold() == text

    return equal


def _ordered(asked: Field, operator: str, text: str) -> Test:
    value = asked.value
    compare: Callable[[float, float], bool] = {
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }[operator]
    if asked.kind == "time":
        span = _span(text)
        if span is not None:  # "created > 2d": later than two days ago

            def is_then(row: Row, now_us: int) -> bool:
                there = value(row, now_us)
                return there is not None and compare(there, now_us - span * 1_000_000)

            return is_then
        low, high = _day(asked, text)
        wanted: float = low if operator in ("<", ">=") else high - 1
    else:
        number = _seconds(asked, text) if asked.kind == "seconds" else _number(text)
        if number is None:
            raise SchemaValidationError(
                f"{asked.name} {operator} {text[:80]!r} cannot be answered: {operator} needs a "
                "number, such as 0.01."
            )
        wanted = number

    def is_so(row: Row, now_us: int) -> bool:
        there = value(row, now_us)
        if isinstance(there, bool) or not isinstance(there, (int, float)):
            return False
        return compare(there, wanted)

    return is_so


def _number(text: str) -> float | None:
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return None


def _span(text: str) -> float | None:
    found = _SPAN.fullmatch(text)
    if found is None or found[2].casefold() not in _SECONDS:
        return None
    return float(found[1]) * _SECONDS[found[2].casefold()]


def _seconds(asked: Field, text: str) -> float:
    number = _number(text)
    if number is None or not math.isfinite(number):
        number = _span(text)
    if number is None:
        raise SchemaValidationError(
            f"{asked.name} {text[:80]!r} is no length of time; it must be seconds, or a number "
            "with s, min, h, d or w, such as 90min."
        )
    return number


def _day(asked: Field, text: str) -> tuple[int, int]:
    """Return from when to when a date is, in microseconds."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise SchemaValidationError(
            f"{asked.name} {text[:80]!r} is no time; it must be a date such as 2026-01-31 or "
            "2026-01-31T18:00, or with < and > an age such as 2d."
        ) from error
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    start = round(when.timestamp() * 1_000_000)
    return start, start + (86_400_000_000 if len(text) <= 10 else 1_000_000)


def _as_text(there: Any) -> str:
    if isinstance(there, tuple):
        return "\n".join(there).casefold()
    return "" if there is None else str(there).casefold()
