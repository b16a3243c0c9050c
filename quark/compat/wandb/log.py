"""``log``: which row a call goes into, what is journaled of it, what the summary shows.

``run.step`` is the number of the open row. A call goes into the open row and closes it; with
``step=`` or ``commit=False`` the row stays open. Rows are journaled call by call, by their number,
and joined when they are read; so nothing is held back here that a crash could take. A row below
the open one, which W&B drops, is kept at its own step and changes neither ``run.step`` nor the
summary.
"""

from __future__ import annotations

import operator
import struct
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.term import termwarn
from quark.compat.wandb.values import SCALARS, flat, merge, plain
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.compat.wandb.definitions import Definitions

_all_scalars = SCALARS.issuperset

#: What the journal raises for a row that cannot be one: a key that is no string, a huge step.
_REFUSALS = (TypeError, SchemaValidationError, struct.error)


class RowLog:
    """Numbers the rows of a run and keeps the last value of every key. Any thread may log.

    ``append`` keeps one row under a step. A dict of nothing but scalars takes a short way; anything
    else is made plain first.
    """

    __slots__ = (
        "__weakref__",
        "_append",
        "_definitions",
        "_last",
        "_lock",
        "_row",
        "_short_way",
        "_warned_late",
    )

    def __init__(self, append: Callable[[dict[str, Any], int], int], first_row: int) -> None:
        self._append = append
        self._row = first_row
        self._last: dict[str, Any] = {}
        self._definitions: Definitions | None = None
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
                    after = row if commit is False else row + 1
                elif step >= row:
                    row = step
                    after = step + 1 if commit else step
                else:
                    self._log_late(data, step)
                    return
                definitions = self._definitions
                plan = None if definitions is None else definitions.plan(tuple(data))
                if plan is not None and plan.missing:
                    data = {**data, **{name: self._last.get(name, 0) for name in plan.missing}}
                self._row = after
                try:
                    self._append(data, row)
                except _REFUSALS as error:
                    self._row = before
                    raise _refusal(data, step) from error
                self._last.update(data)
                if plan is not None and plan.summed and definitions is not None:
                    definitions.sum_up(plan, data, self._last)
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
        number = None if step is None else _step_number(step)
        nested = {_key(key): plain(value) for key, value in data.items()}
        if self._short_way and _all_scalars(map(type, nested.values())):
            self.log(nested, number, commit)
            return
        with self._lock:
            before = self._row
            row = before if number is None else number
            if row < before:
                self._log_late(dict(flat(nested)), row)
                return
            closes = (number is None) if commit is None else commit
            if self._definitions is not None:
                nested = self._definitions.with_step_metrics(nested, self._last)
            self._row = row + 1 if closes else row
            try:
                self._append(dict(flat(nested)), row)
            except _REFUSALS as error:
                self._row = before
                raise _refusal(data, number) from error
            self._summarize(nested)

    def _log_late(self, row: dict[str, Any], step: int) -> None:
        if not self._warned_late:
            self._warned_late = True
            termwarn(
                f"a row was logged at step {step}, after step {self._row} had been reached. It is "
                "kept at its own step; the summary stays as it is. (W&B would have dropped it.)"
            )
        try:
            self._append(row, step)
        except _REFUSALS as error:
            raise _refusal(row, step) from error

    def _summarize(self, nested: dict[str, Any]) -> None:
        if self._definitions is None:
            merge(nested, self._last)
        else:
            self._definitions.summarize(nested, self._last)

    def _check_may_log(self) -> None:
        """Raise if nothing can be logged any more; overridden where a run can be finished."""


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    raise TypeError(f"log() takes strings as keys, not {key!r} of type {type(key).__name__}.")


def _step_number(step: Any) -> int:
    if isinstance(step, bool):
        raise TypeError(f"step={step!r} is a boolean; log() takes an integer.")
    return operator.index(step)


def _refusal(data: Mapping[Any, Any], step: int | None) -> Exception:
    """Return what to raise for a row that the journal refused."""
    for key in data:
        if not isinstance(key, str):
            return TypeError(
                f"log() takes strings as keys, not {key!r} of type {type(key).__name__}."
            )
    return ValueError(f"step={step!r} does not fit into 64 bits; count from a lower number.")
