"""Rows of a run that are numbered beside those of the script: what SummaryWriters write.

Each writer has a row of its own that is open, and is closed when the writer goes on to another
step. Every event is journaled in its row at once, so nothing waits here that a crash could take.
The script's own row, if one is open, stays open meanwhile, and gets no value of a writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from quark.compat.wandb import term
from quark.compat.wandb.log import RowLog

if TYPE_CHECKING:
    from quark.compat.wandb.run import Run

GLOBAL_STEP = "global_step"


class WriterRow:
    """The open row of one writer."""

    __slots__ = ("number", "step", "values")

    def __init__(self, number: int, step: int) -> None:
        self.number = number
        self.step = step
        self.values: dict[str, Any] = {}


class EventRows:
    """The rows that writers have open in one run."""

    def __init__(self) -> None:
        self._open: dict[object, WriterRow] = {}
        self._last = -1  # the highest number that a writer's row has
        self._script_step: Any = None

    def add(self, run: Run, writer: object, step: int, values: Mapping[str, Any]) -> None:
        """Put ``values`` into the row that ``writer`` has for ``step``."""
        with run._lock:
            row = self._open.get(writer)
            if row is not None and row.step != step:
                self.close(run, writer)
                row = None
            if row is None:
                row = self._open[writer] = self._begin(run, step)
                values = {**values, GLOBAL_STEP: step}
            self._within(run, row, values)

    def close(self, run: Run, writer: object) -> None:
        """Put the open row of ``writer`` into the summary."""
        with run._lock:
            row = self._open.pop(writer, None)
            if row is not None:
                own = run._row, run._open
                run._row, run._open = row.number, row.values
                try:
                    run._close_row(row.number)
                finally:
                    run._row, run._open = own

    def close_all(self, run: Run) -> None:
        """Put all open rows, the script's too, into the summary; nothing more comes."""
        with run._lock:
            run._close_open_row()
            for writer in sorted(self._open, key=lambda writer: self._open[writer].number):
                self.close(run, writer)
            if self._last >= 0:
                run._closed_row = max(self._last, run._closed_row or 0)

    def log(self, run: Run, data: Any, step: Any, commit: bool | None) -> None:
        """Log what the script logs itself. As in W&B, ``step`` only tells rows apart here."""
        with run._lock:
            if step is not None:
                term.warn_once(
                    "step with sync_tensorboard",
                    "log(step=) does not number rows while a SummaryWriter is followed. Log the "
                    "step as a value and name it with define_metric(step_metric=).",
                )
                if run._open and step != self._script_step:
                    RowLog._log_anything(run, {}, None, True)
                    self._pass_writers(run)
                self._script_step = step
                commit = bool(commit)
            RowLog._log_anything(run, data, None, commit)
            self._pass_writers(run)

    def _pass_writers(self, run: Run) -> None:
        """Let the script's next row come after the writers' rows."""
        if not run._open and run._row <= self._last:
            run._row = self._last + 1

    def _begin(self, run: Run, step: int) -> WriterRow:
        number = max(run._row + bool(run._open), self._last + 1)
        self._last = number
        if not run._open:
            run._row = number + 1
        return WriterRow(number, step)

    def _within(self, run: Run, row: WriterRow, values: Mapping[str, Any]) -> None:
        """Log ``values`` as a part of ``row``, while that is the row that the run has open."""
        own = run._row, run._open
        run._row, run._open = row.number, row.values
        try:
            RowLog._log_anything(run, dict(values), None, False)
            row.values = run._open
        finally:
            run._row, run._open = own


#: Runs that follow writers.
FOLLOWING: WeakKeyDictionary[Run, EventRows] = WeakKeyDictionary()


def follow(run: Run) -> EventRows:
    """Return the rows of writers in ``run``, which from now on logs through them."""
    rows = FOLLOWING.get(run)
    if rows is None:
        rows = FOLLOWING[run] = EventRows()
        run._short_way = False
    return rows
