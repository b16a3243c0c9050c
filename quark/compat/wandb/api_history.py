"""The history of a run as ``wandb.Api`` gives it. It is complete unless less is asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from quark.compat.wandb import history, term
from quark.compat.wandb.errors import CommError
from quark.compat.wandb.reading import reading
from quark.compat.wandb.row_table import Table
from quark.compat.wandb.summary_reading import last_values
from quark.compat.wandb.system_history import system_rows
from quark.records import RunRecord
from quark.settings import Settings as QuarkSettings
from quark.storage.model import StepRange


class RunHistory:
    """Reads the rows of one run."""

    _where: QuarkSettings
    _record: RunRecord

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 - W&B's name
        """The step of the last row; -1 if there is none."""
        with self._reading() as store:
            return last_values(store, self._record)[1] - 1

    @property
    def history_keys(self) -> dict[str, Any]:
        """The keys that were logged, ``keys``, and the last step, ``lastStep``."""
        with self._reading() as store:
            return history.known_keys(store, self._record)

    historyKeys = history_keys  # noqa: N815 - W&B's name

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        use_cache: bool = True,
    ) -> HistoryScan:
        """Return every row as a dict; with ``keys``, only these of the rows that have all of them.

        Args:
            keys: A list of names.
            page_size: Accepted; a run is read in parts of a fixed size.
            min_step: The first step to read.
            max_step: The first step not to read.
            use_cache: Accepted; nothing is cached.

        Raises:
            ValueError: ``keys`` is no list of texts.
        """
        if keys is not None and not _are_names(keys):
            raise ValueError(f"keys is {keys!r}, but must be a list of texts.")
        last = None if max_step is None else max_step - 1
        return HistoryScan(self, StepRange(step_min=min_step, step_max=last), keys)

    def beta_scan_history(self, *args: Any, **keywords: Any) -> HistoryScan:
        """The same as :meth:`scan_history`; an old name."""
        return self.scan_history(*args, **keywords)

    def history(
        self,
        samples: int | None = None,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: str = "default",
    ) -> Any:
        """Return all rows, or ``samples`` of them at even distances if that is given.

        A DataFrame if ``pandas`` is true and pandas is installed, else a list of dicts. The stream
        ``system`` is the samples of the machine in place of what was logged. With ``keys``, only
        rows that have all of these and ``x_axis``.

        Raises:
            CommError: ``stream`` is neither ``default`` nor ``system``.
        """
        if keys is not None and not _are_names(keys):
            term.termerror(f"history(): keys is {keys!r}, but must be a list of texts.")
            return []
        if stream == "system":
            return self._system_history(samples, keys, as_frame=pandas)
        if stream != "default":
            raise CommError(f"stream is {stream!r}, but must be 'default' or 'system'.")
        wanted = [x_axis, *(key for key in keys if key != x_axis)] if keys else None
        with self._reading() as store:
            parts = list(history.parts(store, self._record, keys=wanted))
        if pandas and importlib.util.find_spec("pandas"):
            frame = _frame(import_module("pandas"), parts)
            chosen = self._sampled(len(frame), samples)
            return frame if chosen is None else frame.iloc[chosen].reset_index(drop=True)
        rows = [row for part in parts for row in (part.rows() if isinstance(part, Table) else part)]
        chosen = self._sampled(len(rows), samples)
        return rows if chosen is None else [rows[index] for index in chosen]

    @property
    def system_metrics(self) -> dict[str, float]:
        """The latest sample of the machine; empty if there is none."""
        with self._reading() as store:
            rows = system_rows(store, self._record)
        clock = ("_timestamp", "_runtime")
        return {key: value for key, value in (rows or [{}])[-1].items() if key not in clock}

    def _system_history(
        self, samples: int | None, keys: Sequence[str] | None, *, as_frame: bool
    ) -> Any:
        with self._reading() as store:
            rows = system_rows(store, self._record, keys)
        chosen = self._sampled(len(rows), samples)
        rows = rows if chosen is None else [rows[index] for index in chosen]
        if as_frame and importlib.util.find_spec("pandas"):
            return import_module("pandas").DataFrame.from_records(rows)
        return rows

    def _sampled(self, count: int, samples: int | None) -> list[int] | None:
        """Return which of ``count`` rows to give, None for all; say so if it is not all."""
        if samples is None or samples <= 0 or count <= samples:
            return None
        run_id = self._record.id
        term.warn_once(
            f"samples {run_id} {samples}",
            f"history() gives {samples} of the {count} rows of run {run_id}, as was asked for. "
            "Without samples= it gives all of them.",
        )
        last = count - 1
        return [round(index * last / (samples - 1 or 1)) for index in range(samples)]

    def _reading(self) -> Any:
        return reading(self._where, self._record.id)


class HistoryScan:
    """Rows of a run, read while they are gone through; each ``for`` begins anew."""

    def __init__(self, run: RunHistory, steps: StepRange, keys: Sequence[str] | None) -> None:
        self._run = run
        self._steps = steps
        self._keys = keys
        self._going: Iterator[dict[str, Any]] | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with self._run._reading() as store:
            yield from history.rows(store, self._run._record, self._steps, self._keys)

    def __next__(self) -> dict[str, Any]:
        if self._going is None:
            self._going = iter(self)
        return next(self._going)

    next = __next__


def _are_names(keys: Any) -> bool:
    return isinstance(keys, (list, tuple, set, frozenset)) and all(
        isinstance(key, str) for key in keys
    )


def _frame(pandas: Any, parts: Sequence[Table | list[dict[str, Any]]]) -> Any:
    """Return the rows as one DataFrame."""
    frames = [
        pandas.DataFrame({key: column.for_frame() for key, column in part.columns.items()})
        if isinstance(part, Table)
        else pandas.DataFrame.from_records(part)
        for part in parts
    ]
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    if len(filled) < 2:
        return filled[0] if filled else pandas.DataFrame()
    return pandas.concat(filled, ignore_index=True)
