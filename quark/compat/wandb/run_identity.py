"""What a run says of itself: its id, names, place and start. All of it can be read at any time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK, parse_timestamp
from quark.compat.wandb.aggregates import Aggregate
from quark.compat.wandb.config import Config
from quark.compat.wandb.disabled import NullSession
from quark.compat.wandb.errors import UsageError
from quark.compat.wandb.log import RowLog
from quark.compat.wandb.logged_media import MediaRow, Storable, Take, Way
from quark.compat.wandb.reading import reading
from quark.compat.wandb.run_place import FILES, place_of
from quark.compat.wandb.settings import Settings, check_tags, check_text
from quark.compat.wandb.summary import Summary
from quark.compat.wandb.symbols import refuse_attribute
from quark.compat.wandb.values import flatten, with_json_numbers
from quark.errors import RunNotFoundError, SchemaValidationError, SessionStoreError
from quark.records import RunStatus

if TYPE_CHECKING:
    from quark.compat.wandb.definitions import Definitions
    from quark.compat.wandb.mirror.start import MirrorProcess
    from quark.compat.wandb.watching import Watching
    from quark.pipeline.deferred import Deferred
    from quark.session import TrainingSession


class RunIdentity(RowLog):
    """A run without its verbs. ``name``, ``notes`` and ``tags`` can be set while it is open.

    ``first_row``, ``last_values``, ``definitions`` and ``resumed`` are what an earlier process left
    of a run that is gone on with.
    """

    __slots__ = (
        "_awaited",
        "_config",
        "_entity",
        "_finished",
        "_mirror",
        "_name",
        "_notes",
        "_pid",
        "_project",
        "_resumed",
        "_session",
        "_settings",
        "_start_us",
        "_starting_step",
        "_summary",
        "_tags",
        "_watching",
    )

    def __init__(
        self,
        session: TrainingSession | NullSession,
        settings: Settings,
        *,
        config: Mapping[str, Any],
        first_row: int = 0,
        last_values: Mapping[str, Any] | None = None,
        definitions: Definitions | None = None,
        resumed: bool = False,
    ) -> None:
        super().__init__(session.log_row, first_row)
        self._awaited = 0  # how many parts of rows have waited for a device so far
        self._session = session
        self._settings = settings
        self._watching: Watching | None = None
        self._mirror: MirrorProcess | None = None
        self._pid = os.getpid()
        self._finished = False
        self._resumed = resumed
        self._starting_step = first_row
        self._name: str | None = settings.run_name
        self._notes: str | None = settings.run_notes
        self._tags: tuple[str, ...] = tuple(settings.run_tags or ())
        self._project: str = session.project_name
        self._entity: str = settings.entity or ""
        self._start_us = SYSTEM_CLOCK.time_us()
        if not isinstance(session, NullSession):
            self._start_us = parse_timestamp(session.context.run.created_at)
        else:
            self._short_way = False
        self._last.update(last_values or {})
        self._closed_row = first_row - 1 if first_row else None
        self._definitions = definitions
        if definitions is not None:
            definitions.earlier = self._earlier
        self._config = Config(config, self._config_changed)
        self._summary = Summary(
            self._last,
            self._summary_changed,
            self._clock_values,
            self._settle,
            self._put_in_summary,
        )

    # -- what it is --------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._session.run_id

    @property
    def name(self) -> str | None:
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._check_open("name")
        self._name = check_text("name", name)
        self._session.update_run(name=name)

    @property
    def notes(self) -> str | None:
        return self._notes

    @notes.setter
    def notes(self, notes: str) -> None:
        self._check_open("notes")
        self._notes = check_text("notes", notes)
        self._session.update_run(notes=notes)

    @property
    def tags(self) -> tuple[str, ...]:
        return self._tags

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self._check_open("tags")
        self._tags = check_tags(tags)
        self._session.update_run(tags=self._tags)

    @property
    def project(self) -> str:
        return self._project

    @property
    def entity(self) -> str:
        return self._entity

    @property
    def group(self) -> str:
        return self._settings.run_group or ""

    @property
    def job_type(self) -> str:
        return self._settings.run_job_type or ""

    @property
    def path(self) -> str:
        return "/".join(part for part in (self._entity, self._project, self.id) if part)

    @property
    def dir(self) -> str:
        """The folder whose files belong to the run; it exists as long as the run is open."""
        if self.disabled:
            return str(self._session.run_path / FILES)
        return place_of(self._settings, self._session.run_path)

    @property
    def sync_dir(self) -> str:
        """The folder that holds :attr:`dir`."""
        return str(self._session.run_path if self.disabled else self._settings.sync_dir)

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def start_time(self) -> float:
        """When the run was started, in seconds since the epoch."""
        return self._start_us / 1e6

    @property
    def starting_step(self) -> int:
        return self._starting_step

    @property
    def step(self) -> int:
        """The number of the row that is open."""
        return self._row

    @property
    def resumed(self) -> bool:
        return self._resumed

    @property
    def inherited(self) -> bool:
        """Whether the run was opened by the process that this one was forked from."""
        return self._pid != os.getpid()

    @property
    def guest(self) -> bool:
        """Whether another process ends the run, so that finishing closes this one's part only."""
        if isinstance(self._session, NullSession):
            return False
        return self.inherited or not self._session.handle.owner

    @property
    def over(self) -> bool:
        """Whether :meth:`Run.finish` was called."""
        return self._finished

    @property
    def _attach_id(self) -> str:
        """What another process needs to log into the run: its id and where it is kept."""
        if isinstance(self._session, NullSession):
            return self.id
        return f"{self.id}{self._session.context.storage_dir}"

    @property
    def disabled(self) -> bool:
        return isinstance(self._session, NullSession)

    @property
    def offline(self) -> bool:
        return bool(self._settings.mode == "offline")

    @property
    def url(self) -> None:
        """None: the run is on this machine."""

    @property
    def project_url(self) -> None:
        """None, as :attr:`url`."""

    @property
    def sweep_id(self) -> str | None:
        found: str | None = self._settings.sweep_id
        return found

    @property
    def sweep_url(self) -> None:
        """None, as :attr:`url`."""

    @property
    def config(self) -> Config:
        return self._config

    @property
    def config_static(self) -> dict[str, Any]:
        """A copy of the config."""
        return self._config.as_dict()

    @property
    def summary(self) -> Summary:
        return self._summary

    def get_url(self) -> None:
        """None; W&B 0.31 has removed it, released libraries still call it."""

    def project_name(self) -> str:
        """The project; an old name of :attr:`project`."""
        return self._project

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Run", name)

    def __repr__(self) -> str:
        return f"<Run {self.id} of project {self._project}>"

    # -- inside ------------------------------------------------------------------------------

    def _check_may_log(self) -> None:
        self._check_open("log")

    def _check_open(self, call: str) -> None:
        if self._finished and not self.disabled:
            raise UsageError(
                f"Run {self.id} is finished, so {call!r} has no effect on it any more. Call "
                "wandb.init() for a new run, or wandb.init(id=..., resume='must') to go on with it."
            )

    def _config_changed(self, values: dict[str, Any]) -> None:
        self._check_open("config")
        self._session.update_config({str(key): value for key, value in values.items()})

    def _summary_changed(self, path: tuple[str, ...], *, removed: bool) -> None:
        self._check_open("summary")
        key = path[0]
        try:
            with self._lock:
                if self._definitions is not None:
                    self._definitions.changed_by_script(".".join(path), removed=removed)
                if removed:
                    self._nulls.add(".".join(path))
                if key in self._last:
                    values = with_json_numbers({key: self._last[key]})
                    inside = path if len(path) > 1 else ()
                    self._session.update_summary(values, step=self._row, path=inside)
                else:
                    self._session.update_summary({}, removed=(key,), step=self._row)
        except SchemaValidationError as error:
            raise TypeError(f"Summary key {key!r} cannot be kept: {error}") from error

    def _settle(self) -> None:
        """Wait for values that are still on their way from a device, or being stored."""
        if self._awaited and not isinstance(self._session, NullSession):
            self._session.handle.settle()
        self._show_arrived()

    def _await(self, row: Deferred) -> None:
        if isinstance(self._session, NullSession):
            row.resolve()
        elif self._session.handle.defer(row):
            self._awaited += 1

    def _keep_media(
        self, row: int, media: Mapping[Way, Storable], take: Take, step: int | str
    ) -> None:
        if not isinstance(self._session, NullSession):
            self._awaited += 1
            handle = self._session.handle
            handle.defer_payload(MediaRow(handle, row, media, take, step=step))

    def _append_summary(self, values: dict[str, Any], row: int) -> None:
        self._session.update_summary(with_json_numbers(values), step=row)

    def _append_at(self, row: dict[str, Any], step: int, time_us: int) -> int:
        at = self._session
        return 0 if isinstance(at, NullSession) else at.handle.log_row(row, step, time_us)

    def _clock_values(self) -> dict[str, Any]:
        if self._closed_row is None:
            return {}
        now = SYSTEM_CLOCK.time_us()
        return {
            "_step": self._closed_row,
            "_runtime": (now - self._start_us) / 1e6,
            "_timestamp": now / 1e6,
        }

    def _earlier(self, key: str) -> Aggregate:
        """Return what closed rows held of ``key`` before it was defined."""
        session = self._session
        known = key in self._nulls or key in flatten(self._last)
        if isinstance(session, NullSession) or self._closed_row is None or not known:
            return Aggregate()
        from quark.compat.wandb.summary_reading import earlier_rows  # numpy: seldom needed

        try:
            with reading(session.handle.settings, self.id) as store:
                return earlier_rows(store, self.id, key, self._closed_row)
        except SessionStoreError:
            return Aggregate()  # a store that does not answer does not stop the training

    def _note_path(self, key: str, way: tuple[str, ...]) -> None:
        from quark.records import NestedKeyRecord

        self._session.emit(NestedKeyRecord, key=key, path=way)

    def _note_late(self, row: dict[str, Any], step: int, seq: int) -> None:
        from quark.records import LateRowRecord

        self._session.emit(LateRowRecord, seq=seq, keys=tuple(row), step=step)

    def _final_summary(self) -> dict[str, Any]:
        self._settle()
        self._close_open_row()
        runtime_seconds = (SYSTEM_CLOCK.time_us() - self._start_us) / 1e6
        last = {**self._last, **self._clock_values(), **self._joint_summary()}
        return {**last, "_wandb": {"runtime": runtime_seconds}}

    def _save_summary(self) -> None:
        """Keep the whole summary in the place of all that was kept of it before."""
        final = with_json_numbers(self._final_summary())
        session, stale = self._session, tuple[str, ...]()
        if not isinstance(session, NullSession):
            stale = tuple(key for key in session.context.run.summary if key not in final)
        session.update_summary(final, removed=stale, step=self._row)

    def _outlives_owner(self) -> bool:
        """Say whether the process that ends the run has done so, and left the rest to this one."""
        if isinstance(self._session, NullSession):
            return False
        try:
            return self._session.reload().status != RunStatus.RUNNING
        except (RunNotFoundError, SessionStoreError):
            return False

    def _joint_summary(self) -> dict[str, Any]:
        """Return the summary with what other processes logged; empty if none did."""
        session = self._session
        if isinstance(session, NullSession) or not session.handle.shared:
            return {}
        from quark.compat.wandb.summary_reading import joint_summary  # numpy: seldom needed

        try:
            with reading(session.handle.settings, self.id) as store:
                return joint_summary(store, self.id, session.handle.settings)
        except SessionStoreError:
            return {}  # said when the session ends
