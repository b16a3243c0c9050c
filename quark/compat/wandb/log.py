"""``log``: which row a call goes into, what is journaled of it, what the summary shows.

``run.step`` is the number of the open row. A call goes into the open row and closes it; with
``step=`` or ``commit=False`` the row stays open. Rows are journaled call by call, by their number,
and joined when they are read; so nothing is held back here that a crash could take. What is held
back is the open row's part in the summary: as with W&B, that shows a row once it is closed.

A row below the open one, which W&B drops, is kept at its own step and changes neither ``run.step``
nor the summary. What a reader cannot see from the rows themselves is journaled beside them: which
rows came late, and which dotted keys were nested dicts.
"""

from __future__ import annotations

import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.awaited import AwaitedRow, Parts, split
from quark.compat.wandb.log_arguments import refusal, step_number, with_texts
from quark.compat.wandb.overtaking import Overtaking, Ticket, drop, value_at
from quark.compat.wandb.term import termwarn
from quark.compat.wandb.use_counts import warned
from quark.compat.wandb.values import SCALARS, all_texts, flatten, join, merge, paths, put
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.compat.wandb.definitions import Definitions
    from quark.compat.wandb.logged_media import Storable, Take, Way
    from quark.pipeline.deferred import Deferred

_all_scalars = SCALARS.issuperset
_MAX_SHAPES = 4096
_CHARTS = "quark.compat.wandb.plot.charts"

#: What the journal raises for a row that cannot be one: a key that is no string, a huge step.
_REFUSALS = (TypeError, SchemaValidationError, struct.error)


class RowLog:
    """Numbers the rows of a run and keeps its summary. Any thread may log.

    ``append`` keeps one row under a step. A dict of nothing but scalars takes a short way; anything
    else is made plain first.
    """

    __slots__ = (
        "__weakref__",
        "_append",
        "_arrived",
        "_closed_row",
        "_definitions",
        "_last",
        "_lock",
        "_nulls",
        "_open",
        "_overtaking",
        "_row",
        "_shapes",
        "_short_way",
        "_warned_late",
    )

    def __init__(self, append: Callable[[dict[str, Any], int], int], first_row: int) -> None:
        self._append = append
        self._arrived: deque[Callable[[], None]] = deque()  # what the summary is to show
        self._row = first_row
        self._closed_row: int | None = None  # the number of the row that was closed last
        self._open: dict[str, Any] = {}  # what the open row holds so far
        self._last: dict[str, Any] = {}  # the summary
        self._nulls: set[str] = set()  # keys that may have been logged and are not in the summary
        self._definitions: Definitions | None = None
        self._shapes: set[tuple[str, ...]] = set()  # keys of rows whose nested keys are journaled
        self._overtaking = Overtaking()
        self._short_way = True
        self._warned_late = False
        self.renew_lock()

    def renew_lock(self) -> None:
        """In a forked child: another thread may have held the lock that was inherited."""
        self._lock = threading.RLock()  # reentrant: a signal handler may log

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,
        sync: bool | None = None,
    ) -> None:
        """Log ``data`` as (a part of) one row.

        Args:
            data: Values by key. Nested dicts become dotted keys.
            step: The row; without it the open one. Rows are opened in ascending order.
            commit: Whether the row is complete with this. By default it is, unless ``step`` is
                given.
            sync: Accepted from old scripts; nothing comes of it.

        Raises:
            TypeError: ``data`` is no mapping, a key is no string, or ``step`` is no integer.
            UsageError: The run is finished.
        """
        if (
            self._short_way
            and type(data) is dict
            and _all_scalars(map(type, data.values()))
            and (step is None or type(step) is int)
        ):
            with self._lock:
                row = before = self._row
                if step is None:
                    closes = commit is not False
                elif step >= row:
                    row = step
                    closes = bool(commit)
                else:
                    self._log_late(data, step)
                    return
                definitions = self._definitions
                if definitions is not None:
                    keys = tuple(data)
                    if closes and not self._open:
                        plan = definitions.plans.get(keys) or definitions.new_plan(keys)
                        if plan.completed is not None:
                            data = data.copy()
                            for name in plan.missing:
                                data[name] = definitions.counters[name]
                            plan = plan.completed
                    elif missing := definitions.missing(keys):
                        data = {**data, **self._step_metrics(missing, row)}
                self._row = row + 1 if closes else row
                try:
                    self._append(data, row)
                except _REFUSALS as error:
                    self._row = before
                    raise refusal(data, step) from error
                if not closes and row == before:
                    self._open.update(data)
                elif closes and not self._open:
                    if definitions is None:
                        self._last.update(data)
                    else:
                        definitions.close(plan, data, self._last)
                    self._closed_row = row
                else:
                    self._add_to_row(data, row, before, closes=closes)
        else:
            self._log_anything(data, step, commit)

    def _log_anything(self, data: Any, step: Any, commit: bool | None) -> None:
        """Log a row that needs a closer look."""
        if not self._short_way:
            self._check_may_log()
        if type(data) is not dict and not isinstance(data, Mapping):
            raise TypeError(
                f"log() takes a dict of values by their names, not a {type(data).__name__}."
            )
        number = None if step is None else step_number(step)
        if charts := sys.modules.get(_CHARTS):  # as soon as one was made
            data, drawn = charts.with_tables(data)
            if drawn:
                self._draw(drawn)
        parts = split(data if all_texts(map(type, data)) else with_texts(data))
        nested = parts.plain
        is_whole = not (parts.tensors or parts.media)
        if is_whole and self._short_way and _all_scalars(map(type, nested.values())):
            self.log(nested, number, commit)
            return
        later = parts.ways
        flat_row = flatten(nested)
        if None in flat_row.values():
            self._nulls.update(key for key, value in flat_row.items() if value is None)
        with self._lock:
            self._show_arrived()
            before = self._row
            row = before if number is None else number
            if later:
                self._note_paths(shape := parts.shape(), flatten(shape))
            else:
                self._note_paths(nested, flat_row)
            is_late = row < before
            if is_late:
                self._log_late(flat_row, row)
            else:
                closes = (number is None) if commit is None else commit
                self._log_parts(parts, flat_row, row, closes=closes)
            take: Take = self._take_late
            if later and not is_late:
                self._open = drop(later, self._open)
                take = partial(self._take_arrived, self._overtaking.ticket(later, self._last))
        # Outside of the lock: what is done in the background may be done here and now instead.
        if parts.tensors:
            self._await(AwaitedRow(row, parts.tensors, take))
        if parts.media:
            self._keep_media(row, parts.media, take, row)

    def _log_parts(self, parts: Parts, flat_row: dict[str, Any], row: int, *, closes: bool) -> None:
        """Log what is plain of a row that is not late."""
        before, nested = self._row, parts.plain
        if self._definitions is not None:
            awaited = tuple(".".join(way) for way in parts.ways)
            missing = self._definitions.missing((*flat_row, *awaited))
            if missing:
                added = self._step_metrics(missing, row)
                flat_row.update(added)
                nested.update(added)
        self._row = row + 1 if closes else row
        try:
            self._append(flat_row, row)
        except _REFUSALS as error:
            self._row = before
            raise refusal(flat_row, row) from error
        if closes and not self._open and self._definitions is None:
            merge(nested, self._last)
            self._closed_row = row
        else:
            self._add_to_row(nested, row, before, closes=closes)

    def _take_arrived(self, ticket: Ticket, nested: dict[str, Any], row: int, time_us: int) -> None:
        """Put what has arrived into its row, which may be closed by now. Takes no lock: who waits
        for what is on its way may hold one."""
        self._append_at(flatten(nested), row, time_us)
        self._arrive(partial(self._merge_arrived_in_turn, ticket, nested))

    def _put_awaited(self, nested: dict[str, Any]) -> None:
        """Put what has arrived into the summary, as soon as nobody holds the lock."""
        self._arrive(partial(self._merge_arrived, nested))

    def _take_late(self, nested: dict[str, Any], row: int, time_us: int) -> None:
        """Put what has arrived into a row below the open one; the summary stays as it is."""
        flat_row = flatten(nested)
        self._note_late(flat_row, row, self._append_at(flat_row, row, time_us))

    def _arrive(self, show: Callable[[], None]) -> None:
        """Have ``show`` called under the lock, without waiting for it."""
        self._arrived.append(show)
        self._show_arrived(waiting=False)

    def _show_arrived(self, *, waiting: bool = True) -> None:
        """Put what has arrived since into the summary."""
        while self._arrived and self._lock.acquire(waiting):
            try:
                while self._arrived:
                    self._arrived.popleft()()
            finally:
                self._lock.release()

    def _merge_arrived(self, nested: dict[str, Any]) -> None:
        if self._definitions is None:
            merge(nested, self._last)
        else:
            self._definitions.close_nested(nested, self._last)

    def _merge_arrived_in_turn(self, ticket: Ticket, nested: dict[str, Any]) -> None:
        merge_rest, is_summed_up = self._merge_arrived, self._is_summed_up
        self._overtaking.arrive(ticket, nested, self._last, merge_rest, counts_always=is_summed_up)

    def _is_summed_up(self, way: Way) -> bool:
        found = None if self._definitions is None else self._definitions.find(".".join(way))
        return found is not None and found.is_summed_up

    def _put_in_summary(self, media: Mapping[Way, Storable]) -> None:
        """Have media stored later that the script has set in the summary."""
        ways = tuple(media)
        ticket = self._overtaking.ticket(ways, self._last)

        def take(nested: dict[str, Any], row: int, time_us: int) -> None:
            for way in ways:
                if len(way) == 1:  # at once, lest it is lost with the process
                    self._append_summary({way[0]: nested[way[0]]}, row)
            set_arrived = partial(self._set_arrived, ways)
            arrive = self._overtaking.arrive
            self._arrive(partial(arrive, ticket, nested, self._last, set_arrived))

        self._keep_media(self._row, media, take, "summary")

    def _set_arrived(self, ways: tuple[Way, ...], nested: dict[str, Any]) -> None:
        for way in ways:
            value = value_at(way, nested)
            if value is not None:
                put(way, value, self._last)
                self._summary_changed(way, removed=False)

    def _summary_changed(self, path: tuple[str, ...], *, removed: bool) -> None:
        """Keep what the script changed in the summary; overridden where that can be kept."""

    def _append_summary(self, values: dict[str, Any], row: int) -> None:
        """Append values of the summary; overridden where that can be done."""

    def _keep_media(
        self, row: int, media: Mapping[Way, Storable], take: Take, step: int | str
    ) -> None:
        """Have media stored later; overridden where that can be done."""

    def _draw(self, charts: Mapping[tuple[str, ...], Any]) -> None:
        """Keep how the tables of charts are drawn; overridden where that can be kept."""

    def _await(self, row: Deferred) -> None:
        """Have ``row`` resolved later; at once where nothing runs in the background."""
        row.resolve()

    def _append_at(self, row: dict[str, Any], step: int, time_us: int) -> int:
        """Append a part of a row that was logged at an earlier moment; return its frame."""
        return self._append(row, step)

    def _log_late(self, row: dict[str, Any], step: int) -> None:
        if not self._warned_late:
            self._warned_late = True
            message = (
                f"a row was logged at step {step}, after step {self._row} had been reached. It is "
                "kept at its own step; the summary stays as it is. (W&B would have dropped it.)"
            )
            warned("wandb.log(step=) below the open step", message)
            termwarn(message)
        try:
            seq = self._append(row, step)
        except _REFUSALS as error:
            raise refusal(row, step) from error
        self._note_late(row, step, seq)

    # -- the open row ------------------------------------------------------------------------

    def _add_to_row(self, values: dict[str, Any], row: int, before: int, *, closes: bool) -> None:
        """Take what was logged into row ``row``, while ``before`` was the open one."""
        if row != before and self._open:
            self._close_row(before)
        if self._open or not closes:
            join(values, self._open)
            if closes:
                self._close_row(row)
        else:
            self._open = values
            self._close_row(row)

    def _close_row(self, number: int) -> None:
        """Put the open row into the summary."""
        row, self._open = self._open, {}
        definitions = self._definitions
        if definitions is None:
            if _all_scalars(map(type, row.values())):
                self._last.update(row)
            else:
                merge(row, self._last)
        else:
            missing = definitions.missing(tuple(flatten(row)))
            if missing:  # defined since the row was opened
                added = definitions.step_metrics(missing, row, same_row=True)
                self._append(added, number)
                row.update(added)
            definitions.close_nested(row, self._last)
        self._closed_row = number

    def _close_open_row(self) -> None:
        """Put what was logged so far into the summary: nothing more comes."""
        with self._lock:
            if self._open:
                self._close_row(self._row)

    def _step_metrics(self, missing: tuple[str, ...], row: int) -> dict[str, Any]:
        """Return the values of step metrics that go into row ``row`` with what is logged."""
        assert self._definitions is not None
        return self._definitions.step_metrics(missing, self._open, same_row=row == self._row)

    # -- what readers need to know -----------------------------------------------------------

    def _note_paths(self, nested: dict[str, Any], flat_row: dict[str, Any]) -> None:
        """Journal once which keys of a row are nested, before the row itself."""
        shape = tuple(flat_row)
        if shape not in self._shapes:
            if len(self._shapes) >= _MAX_SHAPES:
                self._shapes.clear()
            self._shapes.add(shape)
            known = {key for seen in self._shapes if seen is not shape for key in seen}
            for key, way in paths(nested):
                if key not in known:
                    self._note_path(key, way)

    def _note_path(self, key: str, way: tuple[str, ...]) -> None:
        """Keep that ``key`` is the dotted form of ``way``; overridden where that can be kept."""

    def _note_late(self, row: dict[str, Any], step: int, seq: int) -> None:
        """Keep that the frame ``seq`` came late; overridden where that can be kept."""

    def _check_may_log(self) -> None:
        """Raise if nothing can be logged any more; overridden where a run can be finished."""
