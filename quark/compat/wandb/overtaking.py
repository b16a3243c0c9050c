"""What was logged later wins in the summary, also over what arrives late.

An image that was logged at step 5 may be ready after a number was logged under its key at step 6.
Its row gets it all the same; the summary does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

Way = tuple[str, ...]

_NOTHING = object()


class Ticket(NamedTuple):
    """What the summary showed when something was logged that comes later, and its turn."""

    turn: int
    shown: dict[Way, Any]


class Overtaking:
    """Tells what may still go into a summary. All calls are made under the lock of the log.

    A value was overtaken if the summary shows neither what it did then, nor what was logged earlier
    and has arrived since. It is told by the identity of the values: only the very same object,
    logged again, goes unnoticed.
    """

    def __init__(self) -> None:
        self._turn = 0
        self._arrived: dict[Way, tuple[int, Any]] = {}  # what came last, with its turn

    def ticket(self, ways: Iterable[Way], summary: dict[str, Any]) -> Ticket:
        """Take note of what ``summary`` shows where something is going to arrive."""
        self._turn += 1
        return Ticket(self._turn, {way: _found(way, summary) for way in ways})

    def arrive(
        self,
        ticket: Ticket,
        nested: dict[str, Any],
        summary: dict[str, Any],
        merge: Callable[[dict[str, Any]], None],
        *,
        counts_always: Callable[[Way], bool] = lambda way: False,
    ) -> None:
        """Have ``merge`` put into ``summary`` what of ``nested`` was not overtaken, and what
        counts however old it is."""
        due = [way for way in ticket.shown if self._is_due(way, ticket, summary)]
        late = [way for way in ticket.shown if way not in due and not counts_always(way)]
        merge(drop(late, nested))
        for way in due:
            self._arrived[way] = ticket.turn, _found(way, summary)

    def _is_due(self, way: Way, ticket: Ticket, summary: dict[str, Any]) -> bool:
        now = _found(way, summary)
        if now is ticket.shown[way]:
            return True
        turn, value = self._arrived.get(way, (ticket.turn, None))
        return turn < ticket.turn and now is value


def drop(ways: Iterable[Way], row: dict[str, Any]) -> dict[str, Any]:
    """Return a nested row without what is at the end of ``ways``."""
    for way in ways:
        row = _without(way, row)
    return row


def value_at(way: Way, row: dict[str, Any]) -> Any:
    """Return what is at the end of a way, None if there is nothing."""
    found = _found(way, row)
    return None if found is _NOTHING else found


def _found(way: Way, inside: Any) -> Any:
    """Return what is at the end of a way, or the value that bars it."""
    for part in way:
        if type(inside) is not dict or "_type" in inside:
            return inside
        inside = inside.get(part, _NOTHING)
    return inside


def _without(way: Way, row: dict[str, Any]) -> dict[str, Any]:
    key, *below = way
    if key not in row:
        return row
    left = {name: value for name, value in row.items() if name != key}
    inner = row[key]
    if below and type(inner) is dict and "_type" not in inner:
        inner = _without(tuple(below), inner)
        if inner:
            left[key] = inner
    elif below:
        return row  # something else is there
    return left
