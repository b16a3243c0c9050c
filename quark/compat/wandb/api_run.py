"""One run as ``wandb.Api`` gives it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.compat.wandb.api_actions import RunActions
from quark.compat.wandb.api_artifact_queries import RunArtifactQueries
from quark.compat.wandb.api_changes import RunChange, change_run, delete_run
from quark.compat.wandb.api_files import ApiFile, ApiFiles, list_files, one_file
from quark.compat.wandb.api_history import RunHistory
from quark.compat.wandb.api_people import ApiUser
from quark.compat.wandb.api_summary import ApiSummary
from quark.compat.wandb.config import OWN_KEY
from quark.compat.wandb.console_logs import ConsoleLogs
from quark.compat.wandb.kept_files import RunFiles
from quark.compat.wandb.preempting import PREEMPTED, PREEMPTING
from quark.compat.wandb.reading import reading
from quark.compat.wandb.run_metadata import run_metadata
from quark.compat.wandb.settings import check_tags
from quark.compat.wandb.summary_reading import FULL_MARK, summary_with_clock, with_floats
from quark.compat.wandb.symbols import refuse_attribute
from quark.pipeline.recovery import PROCESS_LOST
from quark.records import ConsoleLineRecord, EventRecord, RunRecord, RunStatus
from quark.session.places import local_root
from quark.settings import Settings as QuarkSettings
from quark.storage.layout import run_path
from quark.storage.model import RecordFilter

_KILLED = (PROCESS_LOST, "SIGTERM")
if TYPE_CHECKING:
    from quark.compat.wandb.api_sweeps import ApiSweep

_STATES = {
    RunStatus.RUNNING: "running",
    RunStatus.COMPLETED: "finished",
    RunStatus.FAILED: "failed",
    RunStatus.INTERRUPTED: "failed",
}


class ApiRun(RunHistory, RunActions, RunArtifactQueries):
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
        self._rawconfig: dict[str, Any] = copy.deepcopy(dict(record.config))
        self.config: dict[str, Any] = copy.deepcopy(dict(record.config))
        self.config.pop(OWN_KEY, None)

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
        """``running``, ``finished``, ``failed``, ``crashed`` if the process was killed; after
        ``mark_preempting``, ``preempting`` and, if the run did not end well, ``preempted``."""
        reason = self._record.end_reason
        if reason in (PREEMPTING, PREEMPTED):
            return reason
        if reason in _KILLED:
            return PREEMPTED if self._was_preempting() else "crashed"
        return _STATES[RunStatus(self._record.status)]

    def _was_preempting(self) -> bool:
        chosen = RecordFilter(equals={"event_type": (PREEMPTING, "run_resumed")})
        with self._reading() as store:
            events = store.records.read(EventRecord, self.id, chosen)
        return bool(events) and events[-1].event_type == PREEMPTING

    @property
    def created_at(self) -> str:
        return self._record.created_at

    createdAt = created_at  # noqa: N815 - W&B's name

    @property
    def heartbeat_at(self) -> str:
        """When the run's row was changed last."""
        return self._record.updated_at

    heartbeatAt = heartbeat_at  # noqa: N815 - W&B's name

    @property
    def description(self) -> str | None:
        return self.notes

    @property
    def commit(self) -> str | None:
        """The commit of the repository that the run was started in."""
        return self._record.git_commit

    @property
    def read_only(self) -> bool:
        """False: what can be read can be changed."""
        return False

    @property
    def exit_code(self) -> int | None:
        return self._record.exit_code

    @property
    def url(self) -> None:
        """None: the run is on this machine."""

    @property
    def sweep(self) -> ApiSweep | None:
        """The sweep that the run is a trial of; None if it is none."""
        from quark.compat.wandb.api_sweeps import sweep_of  # few runs are

        return sweep_of(self._where, self.id, ApiRun)

    @property
    def sweep_name(self) -> str | None:
        """The id of the sweep; None if the run is of none."""
        from quark.compat.wandb.api_sweeps import sweep_id_of

        return sweep_id_of(self._where, self.id)

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
        """The config with what W&B keeps in it for itself: how charts are drawn."""
        own = {key: self._rawconfig[key] for key in (OWN_KEY,) if key in self._rawconfig}
        return {**own, **self.config}

    @property
    def json_config(self) -> str:
        """The config as W&B's JSON: ``{"key": {"value": ...}}``."""
        return jsonio.dumps({key: {"value": item} for key, item in self.rawconfig.items()}).decode()

    # -- what it logged ----------------------------------------------------------------------

    @property
    def summary(self) -> ApiSummary:
        """The summary: as the run wrote it at its end, or from what it logged if it did not.

        What a run that is still open logged up to now is read each time.
        """
        record = self._record
        if self._summary is not None and record.status != RunStatus.RUNNING:
            return self._summary
        if record.status != RunStatus.RUNNING and record.end_reason not in _KILLED:
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

    # -- its files ---------------------------------------------------------------------------

    def files(
        self, names: Sequence[str] | None = None, pattern: str | None = None, per_page: int = 50
    ) -> ApiFiles:
        """Return the run's files: those in ``names``, those that ``pattern`` fits, or all.

        In a pattern ``%`` stands for any text and ``_`` for one character.

        Raises:
            ValueError: Both are given.
        """
        return list_files(self._files(), names, pattern)

    def file(self, name: str) -> ApiFile:
        """Return one file.

        Raises:
            CommError: The run has no such file.
        """
        return one_file(self._files(), name)

    def media(self, value: Any) -> Any:
        """Return as an object, such as a ``wandb.Image``, what a row or the summary has of it.

        An addition to W&B. What is no media is returned as it is; lists and dicts are gone through.

        Raises:
            CommError: A file is missing, or the value could not be kept.
        """
        from quark.compat.wandb.data_types.reading import read_value

        return read_value(value, self._files())

    def _folder(self) -> Path | None:
        with reading(self._where) as store:
            return store.run_dir(self.id) or run_path(local_root(self._where), self.id)

    def _files(self) -> RunFiles:
        return RunFiles(self.id, self._reading, run_path(local_root(self._where), self.id))

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
            removed_config=tuple(
                key for key in record.config if key not in config and key != OWN_KEY
            ),
            summary={} if summary is None else summary.changed,
            removed_summary=() if summary is None else tuple(sorted(summary.removed)),
        )
        self._take(change_run(self._where, record, change))

    def save(self) -> None:
        """Store what was changed, as :meth:`update`."""
        self.update()

    def delete(self, delete_artifacts: bool = False) -> None:
        """Remove the run with everything that was logged to it; with ``delete_artifacts`` also
        the versions of artifacts that it made.

        Raises:
            CommError: The run is not there any more, or is still being written.
        """
        made = list(self.logged_artifacts()) if delete_artifacts else []
        delete_run(self._where, self._record)
        for artifact in made:
            artifact.delete(delete_aliases=True)

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> ConsoleLogs:
        """Return what the run printed, line by line; with ``last`` only the newest lines."""
        with self._reading() as store:
            return ConsoleLogs(store.records.read(ConsoleLineRecord, self.id), last)

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api run", name)

    def __repr__(self) -> str:
        return f"<Run {'/'.join(self.path)} ({self.state})>"
