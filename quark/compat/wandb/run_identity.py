"""What a run says of itself: its id, names, place and start. All of it can be read at any time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK, parse_timestamp
from quark.compat.wandb.config import Config
from quark.compat.wandb.disabled import NullSession
from quark.compat.wandb.errors import UsageError
from quark.compat.wandb.log import RowLog
from quark.compat.wandb.settings import Settings, check_tags
from quark.compat.wandb.summary import Summary
from quark.compat.wandb.symbols import refuse_attribute
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.session import TrainingSession


class RunIdentity(RowLog):
    """A run without its verbs. ``name``, ``notes`` and ``tags`` can be set while it is open.

    ``first_row``, ``last_values`` and ``resumed`` are what an earlier process left of a run that
    is gone on with.
    """

    __slots__ = (
        "_config",
        "_entity",
        "_finished",
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
    )

    def __init__(
        self,
        session: TrainingSession | NullSession,
        settings: Settings,
        *,
        config: Mapping[str, Any],
        first_row: int = 0,
        last_values: Mapping[str, Any] | None = None,
        resumed: bool = False,
    ) -> None:
        super().__init__(session.log_row, first_row)
        self._session = session
        self._settings = settings
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
        self._config = Config(config, self._config_changed)
        self._summary = Summary(self._last, self._summary_changed, self._clock_values)

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
        self._name = name
        self._session.update_run(name=name)

    @property
    def notes(self) -> str | None:
        return self._notes

    @notes.setter
    def notes(self, notes: str) -> None:
        self._check_open("notes")
        self._notes = notes
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
        return str(self._session.run_path / "files")

    @property
    def sync_dir(self) -> str:
        """The run's folder."""
        return str(self._session.run_path)

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

    def _summary_changed(self, key: str) -> None:
        self._check_open("summary")
        try:
            if key in self._last:
                self._session.update_summary({key: self._last[key]})
            else:
                self._session.update_summary({}, removed=(key,))
        except SchemaValidationError as error:
            raise TypeError(f"Summary key {key!r} cannot be kept: {error}") from error

    def _clock_values(self) -> dict[str, Any]:
        if not self._last or self._row == 0:
            return {}
        now = SYSTEM_CLOCK.time_us()
        return {
            "_step": max(self._row - 1, self._starting_step),
            "_runtime": (now - self._start_us) / 1e6,
            "_timestamp": now / 1e6,
        }

    def _final_summary(self) -> dict[str, Any]:
        runtime_seconds = (SYSTEM_CLOCK.time_us() - self._start_us) / 1e6
        return {**self._last, **self._clock_values(), "_wandb": {"runtime": runtime_seconds}}
