"""One question about the runs of a store: which, in what order, in what groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK
from quark.dashboard.views.runs_columns import Column, known_columns
from quark.dashboard.views.runs_depth import deepen
from quark.dashboard.views.runs_fields import MOVING, Field, field
from quark.dashboard.views.runs_order import (
    MAX_LEVELS,
    Group,
    groups,
    in_order,
    is_within,
    path_key,
    path_of,
)
from quark.dashboard.views.runs_query import Query, parse_query
from quark.dashboard.views.runs_rows import TABLES, Row
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place

#: Seconds that one answer spends on what rests in the runs' own files.
_BUDGET_SECONDS = 0.1
#: How long an answer holds that depends on the time, in microseconds.
_MOVING_US = 2_000_000
_MAX_OPEN = 500


@dataclass(frozen=True, slots=True)
class Lines:
    """What a listing found: lines of the table in order, and the runs that they stand for."""

    lines: tuple[Group | Row, ...]
    rows: tuple[Row, ...]


class Listing:
    """The runs that a request asks for.

    Asked: ``project``; ``q`` and ``f`` (filters, see :mod:`quark.dashboard.views.runs_query`; each
    several times); ``archived`` (``hide``, ``show`` or ``only``); ``sort`` (a field, ``-`` before
    it turns it round); ``group`` (fields, outermost first); ``open`` (groups, as JSON lists).

    Raises:
        SchemaValidationError: Something of it cannot be read.
    """

    def __init__(self, place: Place, asked: Asked) -> None:
        self.now_us = SYSTEM_CLOCK.time_us()
        self._table = TABLES.of(place)
        self._store = place.store
        self._snapshot = self._table.read(place.store)
        self.project = asked.text("project")
        self.archived = asked.choice("archived", ("hide", "show", "only"))
        self._texts = tuple(text for text in (*asked.all("q"), *asked.all("f")) if text.strip())
        sort = asked.text("sort") or "-created"
        self.descending = sort.startswith("-")
        self._sort_name = sort.removeprefix("-")
        self._group_names = tuple(asked.all("group"))
        if len(self._group_names) > MAX_LEVELS:
            raise SchemaValidationError(
                f"{len(self._group_names)} levels of groups are too many; at most {MAX_LEVELS}."
            )
        opened = asked.all("open")[:_MAX_OPEN]
        self._opened = frozenset(path_key(path_of(text)) for text in opened)
        self.pending = 0
        self._deepen()

    @property
    def revision(self) -> int:
        """A number that changes when any run of the store does."""
        return self._snapshot.revision

    @property
    def by_id(self) -> Mapping[str, Row]:
        """Every run of the store by its id."""
        return self._snapshot.by_id

    def judge(self) -> None:
        """Bring the health of all runs up to date, if that was not done a moment ago."""
        self._table.judge(self._store, self.now_us)

    def touch(self) -> None:
        """Say that rows were changed by what was looked up."""
        self._table.touch()

    @cached_property
    def every(self) -> tuple[Row, ...]:
        """All runs of the project, archived or not, the newest first."""
        rows = self._snapshot.rows
        if self.project is None:
            return rows
        return tuple(row for row in rows if row.project == self.project)

    @cached_property
    def shown(self) -> tuple[Row, ...]:
        """Those of them that are not hidden as archived, or the archived ones."""
        if self.archived == "show":
            return self.every
        wanted = self.archived == "only"
        return tuple(row for row in self.every if row.is_archived is wanted)

    @cached_property
    def known(self) -> dict[str, Column]:
        """What the runs that are shown have in configurations and summaries."""
        what = ("known", self.project, self.archived)
        found: dict[str, Column] = self._table.remember(
            self._snapshot, what, lambda: known_columns(self.shown)
        )
        return found

    @cached_property
    def query(self) -> Query:
        """The filter."""
        return parse_query(self._texts, self.known)

    @cached_property
    def sort(self) -> Field:
        """What is sorted by."""
        return field(self._sort_name, self.known)

    @cached_property
    def group_fields(self) -> tuple[Field, ...]:
        """What is grouped by, outermost first."""
        return tuple(field(name, self.known) for name in self._group_names)

    @cached_property
    def found(self) -> Lines:
        """The answer; kept until a run changes or, where that matters, for a moment."""
        names = {self.sort.name, *self._group_names}
        moving = bool(names & MOVING) or self.query.is_moving
        what = (
            *("lines", self.project, self.archived, self._texts, self.sort.name, self.descending),
            *(self._group_names, self._opened, self.now_us // _MOVING_US if moving else 0),
        )
        lines: Lines = self._table.remember(self._snapshot, what, self._find)
        return lines

    def within(self, path_text: str) -> tuple[Row, ...]:
        """Return the runs of one group."""
        path = path_of(path_text)
        return tuple(
            row for row in self.found.rows if is_within(row, self.group_fields, path, self.now_us)
        )

    def statuses(self) -> dict[str, int]:
        """Return how many runs have which status, filters aside."""
        return dict(Counter(row.status for row in self.shown).most_common())

    def _find(self) -> Lines:
        query, now_us = self.query, self.now_us
        rows = [row for row in self.shown if query.matches(row, now_us)]
        value = self.sort.value
        if self.sort.name != "created" or not self.descending:
            rows = in_order(rows, lambda row: value(row, now_us), descending=self.descending)
        if not self.group_fields:
            return Lines(tuple(rows), tuple(rows))
        lines = groups(rows, self.group_fields, now_us, self._opened, self._order)
        return Lines(tuple(lines), tuple(rows))

    def _order(self, found: Sequence[Group]) -> list[Group]:
        """Sort the groups of one level: by their values if it is those that are sorted by, or if
        nothing else of them can be; else by the mean of what is sorted by."""
        own_name = self.group_fields[len(found[0].path) - 1].name if found else ""
        if self.sort.name == own_name or self.sort.kind in ("text", "exact", "flag"):
            descending = self.descending and self.sort.name == own_name
            return in_order(found, lambda group: group.path[-1], descending=descending)
        return in_order(found, lambda group: self._mean(group.rows), descending=self.descending)

    def _mean(self, rows: Sequence[Row]) -> Any:
        numbers = [
            found
            for found in (self.sort.value(row, self.now_us) for row in rows)
            if isinstance(found, (int, float)) and found - found == 0
        ]
        if self.sort.kind == "time":
            return max(numbers, default=None)
        return sum(numbers) / len(numbers) if numbers else None

    def _deepen(self) -> None:
        """Look up what the question needs beside the rows: health, or the last values of what goes
        on for questions about summaries."""
        names = (self._sort_name, *self._group_names, *self._texts)
        changed = False
        if any("health" in name.casefold() for name in names):
            changed = self._table.judge(self._store, self.now_us)
        if any("summary." in name for name in names):
            deepened, self.pending = deepen(
                self._store, self.shown, self.now_us, budget_seconds=_BUDGET_SECONDS
            )
            if deepened:
                self._table.touch()
            changed |= deepened
        if changed:
            self._snapshot = self._table.snapshot
            self.__dict__.pop("every", None)
            self.__dict__.pop("shown", None)
