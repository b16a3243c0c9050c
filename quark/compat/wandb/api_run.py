"""One run as ``wandb.Api`` gives it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from quark import jsonio
from quark.compat.wandb import history
from quark.compat.wandb.reading import reading
from quark.compat.wandb.summary_reading import last_values
from quark.compat.wandb.symbols import refuse_attribute
from quark.pipeline.recovery import PROCESS_LOST
from quark.records import RunRecord, RunStatus
from quark.settings import Settings as QuarkSettings
from quark.storage.model import StepRange

_STATES = {
    RunStatus.RUNNING: "running",
    RunStatus.COMPLETED: "finished",
    RunStatus.FAILED: "failed",
    RunStatus.INTERRUPTED: "failed",
}


class SummaryDict(dict[str, Any]):
    """A run's summary; ``_json_dict`` is the same, as W&B has it."""

    @property
    def _json_dict(self) -> dict[str, Any]:
        return dict(self)


class ApiRun:
    """A run as it was when the Api read it; its history and summary are read when asked for."""

    def __init__(self, where: QuarkSettings, record: RunRecord) -> None:
        self._where = where
        self._record = record

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def storage_id(self) -> str:
        return self._record.id

    @property
    def name(self) -> str | None:
        return self._record.name or self._record.id

    @property
    def display_name(self) -> str | None:
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
        """``running``, ``finished``, ``failed``, or ``crashed`` if the process was lost."""
        if self._record.end_reason == PROCESS_LOST:
            return "crashed"
        return _STATES[RunStatus(self._record.status)]

    @property
    def tags(self) -> list[str]:
        return list(self._record.tags)

    @property
    def group(self) -> str | None:
        return self._record.group

    @property
    def job_type(self) -> str | None:
        return self._record.job_type

    @property
    def notes(self) -> str | None:
        return self._record.notes

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
    def user(self) -> None:
        """None: there are no accounts."""

    @property
    def username(self) -> None:
        """None: there are no accounts."""

    @property
    def metadata(self) -> None:
        """None: the environment is kept in the run's folder."""

    @property
    def config(self) -> dict[str, Any]:
        return dict(self._record.config)

    @property
    def rawconfig(self) -> dict[str, Any]:
        return self.config

    @property
    def json_config(self) -> str:
        """The config as W&B's JSON: ``{"key": {"value": ...}}``."""
        return jsonio.dumps({key: {"value": item} for key, item in self.config.items()}).decode()

    @property
    def summary(self) -> SummaryDict:
        """The summary: as the run wrote it at its end, or from its last values if it did not."""
        with reading(self._where, self.id) as store:
            values, next_row = last_values(store, self._record)
        if next_row:
            values["_step"] = next_row - 1
        return SummaryDict(values)

    @property
    def summary_metrics(self) -> dict[str, Any]:
        return dict(self.summary)

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 - W&B's name
        with reading(self._where, self.id) as store:
            return last_values(store, self._record)[1] - 1

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield every row as a dict; with ``keys``, only these of the rows that have all of them.

        Args:
            min_step: The first step to read.
            max_step: The first step not to read.
        """
        last = None if max_step is None else max_step - 1
        steps = StepRange(step_min=min_step, step_max=last)
        with reading(self._where, self.id) as store:
            yield from history.rows(store, self._record, steps, keys)

    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: str = "default",
    ) -> Any:
        """Return about ``samples`` rows at even distances.

        A DataFrame if ``pandas`` is true and pandas is installed, else a list of dicts.
        """
        wanted = None if keys is None else [x_axis, *(key for key in keys if key != x_axis)]
        rows = list(self.scan_history(wanted))
        if len(rows) > samples > 0:
            last = len(rows) - 1
            rows = [rows[round(index * last / (samples - 1 or 1))] for index in range(samples)]
        if pandas and importlib.util.find_spec("pandas"):
            return import_module("pandas").DataFrame.from_records(rows)
        return rows

    def load(self, force: bool = False) -> None:
        """Read the run again."""
        with reading(self._where, self.id) as store:
            self._record = store.records.get_run(self.id)

    def wait_until_finished(self) -> None:
        """Return at once: runs are waited for by whoever started them."""

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api run", name)

    def __repr__(self) -> str:
        return f"<Run {'/'.join(self.path)} ({self.state})>"
