"""One run as ``wandb.Api`` gives it."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.compat.wandb import history, term
from quark.compat.wandb.api_changes import RunChange, change_run, delete_run
from quark.compat.wandb.api_files import ApiFile, ApiFiles, list_files, one_file
from quark.compat.wandb.api_people import ApiUser
from quark.compat.wandb.api_summary import ApiSummary
from quark.compat.wandb.console_logs import ConsoleLogs
from quark.compat.wandb.errors import CommError
from quark.compat.wandb.reading import reading
from quark.compat.wandb.row_table import Table
from quark.compat.wandb.run_metadata import run_metadata
from quark.compat.wandb.settings import check_tags
from quark.compat.wandb.summary_reading import (
    FULL_MARK,
    last_values,
    summary_with_clock,
    with_floats,
)
from quark.compat.wandb.symbols import refuse_attribute
from quark.compat.wandb.system_history import system_rows
from quark.errors import RunNotFoundError
from quark.pipeline.recovery import PROCESS_LOST
from quark.records import ConsoleLineRecord, RunRecord, RunStatus
from quark.settings import Settings as QuarkSettings
from quark.storage.model import StepRange

_STATES = {
    RunStatus.RUNNING: "running",
    RunStatus.COMPLETED: "finished",
    RunStatus.FAILED: "failed",
    RunStatus.INTERRUPTED: "failed",
}
_FILES = "files"


class ApiRun:
    """A run as it was when the Api read it; its history and summary are read when asked for.

    ``name``, ``notes``, ``tags``, ``group``, ``job_type``, ``config`` and ``summary`` can be
    changed; ``update`` stores that.
    """

    def __init__(self, where: QuarkSettings, record: RunRecord) -> None:
        self._where = where
        self._take(record)

    def _take(self, record: RunRecord) -> None:
        self._record = record
        self._summary: ApiSummary | None = None
        self.name = record.name or record.id
        self.notes = record.notes
        self.tags = list(record.tags)
        self.group = record.group
        self.job_type = record.job_type
        self.config: dict[str, Any] = copy.deepcopy(dict(record.config))

    # -- what it is --------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def storage_id(self) -> str:
        return self._record.id

    @property
    def display_name(self) -> str:
        return self.name

    @property
    def project(self) -> str:
        return self._record.project_name

    @property
    def entity(self) -> str:
        return self._record.workspace

    @property
    def path(self) -> list[str]:
        return [self.entity, self.project, self.id]

    @property
    def state(self) -> str:
        """``running``, ``finished``, ``failed``, or ``crashed`` if the process was killed."""
        if self._record.end_reason in (PROCESS_LOST, "SIGTERM"):
            return "crashed"
        return _STATES[RunStatus(self._record.status)]

    @property
    def created_at(self) -> str:
        return self._record.created_at

    @property
    def exit_code(self) -> int | None:
        return self._record.exit_code

    @property
    def url(self) -> None:
        """None: the run is on this machine."""

    @property
    def user(self) -> ApiUser:
        return ApiUser(self.entity)

    @property
    def username(self) -> str:
        return self.entity

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What is known of the machine and the program, under W&B's names; None if nothing is."""
        folder = self._folder()
        return None if folder is None else run_metadata(folder, self.created_at)

    @property
    def rawconfig(self) -> dict[str, Any]:
        return self.config

    @property
    def json_config(self) -> str:
        """The config as W&B's JSON: ``{"key": {"value": ...}}``."""
        return jsonio.dumps({key: {"value": item} for key, item in self.config.items()}).decode()

    # -- what it logged ----------------------------------------------------------------------

    @property
    def summary(self) -> ApiSummary:
        """The summary: as the run wrote it at its end, or from what it logged if it did not.

        What a run that is still open logged up to now is read each time.
        """
        record = self._record
        if self._summary is not None and record.status != RunStatus.RUNNING:
            return self._summary
        if record.status != RunStatus.RUNNING and self.state != "crashed":
            written = record.summary
        else:
            written = {}
        if FULL_MARK in written:
            values = dict(with_floats(written))
            del values[FULL_MARK]
        else:
            with self._reading() as store:
                values = summary_with_clock(store, record)
        before = self._summary
        self._summary = ApiSummary(values, self.update)
        if before is not None:  # what was changed here and is not stored yet
            self._summary.take_over(before)
        return self._summary

    @property
    def summary_metrics(self) -> dict[str, Any]:
        return dict(self.summary)

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 - W&B's name
        with self._reading() as store:
            return last_values(store, self._record)[1] - 1

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        use_cache: bool = True,
    ) -> Iterator[dict[str, Any]]:
        """Yield every row as a dict; with ``keys``, only these of the rows that have all of them.

        Args:
            page_size: Accepted; a run is read in parts of a fixed size.
            min_step: The first step to read.
            max_step: The first step not to read.
            use_cache: Accepted; nothing is cached.
        """
        last = None if max_step is None else max_step - 1
        steps = StepRange(step_min=min_step, step_max=last)
        with self._reading() as store:
            yield from history.rows(store, self._record, steps, keys)

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
        ``system`` is the samples of the machine in place of what was logged.
        """
        if stream == "system":
            return self._system_history(samples, keys, as_frame=pandas)
        if stream != "default":
            raise CommError(f"stream is {stream!r}, but must be 'default' or 'system'.")
        wanted = None if keys is None else [x_axis, *(key for key in keys if key != x_axis)]
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
        term.warn_once(
            f"samples {self.id} {samples}",
            f"history() gives {samples} of the {count} rows of run {self.id}, as was asked for. "
            "Without samples= it gives all of them.",
        )
        last = count - 1
        return [round(index * last / (samples - 1 or 1)) for index in range(samples)]

    # -- its files ---------------------------------------------------------------------------

    def files(
        self, names: Sequence[str] | None = None, pattern: str | None = None, per_page: int = 50
    ) -> ApiFiles:
        """Return the run's files: those named, those matching, or all."""
        return list_files(self._files_folder(), names, pattern)

    def file(self, name: str) -> ApiFile:
        """Return one file.

        Raises:
            CommError: The run has no such file.
        """
        return one_file(self._files_folder(), name)

    def _folder(self) -> Path | None:
        with reading(self._where) as store:
            return store.run_dir(self.id)

    def _files_folder(self) -> Path | None:
        folder = self._folder()
        return None if folder is None else folder / _FILES

    # -- changing it -------------------------------------------------------------------------

    def update(self) -> None:
        """Store what was changed in this object.

        Raises:
            CommError: The run is not there any more.
            InvalidSettingError: A tag is not valid.
        """
        record = self._record
        fields = {
            "name": self.name,
            "notes": self.notes,
            "tags": check_tags(self.tags),
            "group": self.group,
            "job_type": self.job_type,
        }
        config = jsonio.to_plain(self.config)
        summary = self._summary
        change = RunChange(
            fields={
                name: value
                for name, value in fields.items()
                if value != getattr(record, name) and not (name == "name" and value == self.id)
            },
            config={
                k: v for k, v in config.items() if k not in record.config or record.config[k] != v
            },
            removed_config=tuple(key for key in record.config if key not in config),
            summary={} if summary is None else summary.changed,
            removed_summary=() if summary is None else tuple(sorted(summary.removed)),
        )
        self._take(change_run(self._where, record, change))

    def save(self) -> None:
        """Store what was changed, as :meth:`update`."""
        self.update()

    def delete(self, delete_artifacts: bool = False) -> None:
        """Remove the run with everything that was logged to it.

        Raises:
            CommError: The run is not there any more, or is still being written.
        """
        delete_run(self._where, self._record)

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> ConsoleLogs:
        """Return what the run printed, line by line; with ``last`` only the newest lines."""
        with self._reading() as store:
            return ConsoleLogs(store.records.read(ConsoleLineRecord, self.id), last)

    def load(self, force: bool = False) -> None:
        """Read the run again.

        Raises:
            CommError: The run is not there any more.
        """
        try:
            with self._reading() as store:
                self._take(store.records.get_run(self.id))
        except RunNotFoundError as error:
            raise CommError(f"Run {self.id!r} is not there any more.") from error

    def wait_until_finished(self) -> None:
        """Return at once: runs are waited for by whoever started them."""

    def _reading(self) -> Any:
        return reading(self._where, self.id)

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api run", name)

    def __repr__(self) -> str:
        return f"<Run {'/'.join(self.path)} ({self.state})>"


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
