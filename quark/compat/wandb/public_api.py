"""``wandb.Api``: runs of the local store, read back as W&B gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, overload

from quark.compat.wandb.api_filters import check_filters, matches, sort_key
from quark.compat.wandb.api_people import ApiProject, ApiProjects, ApiUser
from quark.compat.wandb.api_run import ApiRun
from quark.compat.wandb.environment import read_environment
from quark.compat.wandb.errors import CommError
from quark.compat.wandb.place import quark_settings
from quark.compat.wandb.reading import reading
from quark.compat.wandb.settings import KNOWN, Settings
from quark.compat.wandb.symbols import refuse_attribute
from quark.errors import RunNotFoundError, SessionStoreError
from quark.settings import Settings as QuarkSettings
from quark.storage.model import RunQuery

NEWEST_LAST = "+created_at"


class Api:
    """Reads runs back. It needs no key; ``overrides`` may hold ``entity``, ``project`` and
    ``dir``, the storage directory."""

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        timeout: int | None = None,
        api_key: str | None = None,
        **_: Any,
    ) -> None:
        given = dict(overrides or {})
        wanted = Settings()
        wanted.update({k: v for k, v in read_environment().items() if k in KNOWN})
        wanted.update({"root_dir": given.get("dir"), "project": given.get("project")})
        self._project: str | None = wanted.project
        wanted.entity = None  # a workspace is chosen by the path, not by where runs are written
        self._where = quark_settings(wanted)

    @property
    def default_entity(self) -> str:
        return self._where.workspace

    @property
    def viewer(self) -> ApiUser:
        """The workspace, as a user."""
        return ApiUser(self.default_entity)

    def projects(self, entity: str | None = None, per_page: int = 200) -> ApiProjects:
        """Return the projects that have runs, of ``entity`` or of all."""
        with reading(self._where) as store:
            found = store.records.list_projects()
        return ApiProjects(
            [ApiProject(record) for record in found if entity in (None, record.workspace)]
        )

    def project(self, name: str, entity: str | None = None) -> ApiProject:
        """Return one project.

        Raises:
            CommError: It has no runs.
        """
        for project in self.projects(entity):
            if project.name == name:
                return project
        raise CommError(f"No project {name!r} in {self._where.storage_path}.")

    def flush(self) -> None:
        """Nothing is held back: every call reads anew."""

    def run(self, path: str = "") -> ApiRun:
        """Return a run by ``id``, ``project/id``, ``entity/project/id`` or
        ``entity/project/runs/id``.

        Raises:
            ValueError: ``path`` is none of these.
            CommError: There is no such run.
        """
        parts = [part for part in path.strip("/").split("/") if part]
        if len(parts) > 2 and parts[-2] == "runs":
            del parts[-2]
        if not 1 <= len(parts) <= 3:
            raise ValueError(f"Path {path!r} is not 'entity/project/id', 'project/id' or 'id'.")
        project = parts[-2] if len(parts) > 1 else None
        entity = parts[0] if len(parts) > 2 else None
        try:
            with reading(self._where, parts[-1]) as store:
                record = store.records.get_run(parts[-1])
        except RunNotFoundError as error:
            raise CommError(f"No run {path!r} in {self._where.storage_path}.") from error
        except SessionStoreError as error:
            raise CommError(str(error)) from error
        if project is not None and record.project_name != project:
            raise CommError(
                f"No run {path!r}: run {record.id!r} is of project {record.project_name!r}."
            )
        if entity is not None and record.workspace != entity:
            raise CommError(
                f"No run {path!r}: run {record.id!r} is of entity {record.workspace!r}."
            )
        return ApiRun(self._where, record)

    def runs(
        self,
        path: str | None = None,
        filters: Mapping[str, Any] | None = None,
        order: str = NEWEST_LAST,
        per_page: int = 50,
        include_sweeps: bool = True,
        lazy: bool = True,
    ) -> Runs:
        """Return the runs of ``entity/project`` or ``project`` that pass ``filters``.

        Args:
            filters: MongoDB's words on ``config.x``, ``summary_metrics.x``, ``tags``, ``state``,
                ``group``, ``display_name``, ``jobType`` and other fields.
            order: ``created_at``, ``summary_metrics.x`` and the like, with ``-`` before it for
                the highest first.
        """
        parts = [part for part in (path or "").split("/") if part]
        query = RunQuery(
            project=parts[-1] if parts else self._project,
            workspace=parts[0] if len(parts) > 1 else None,
            newest_first=False,
        )
        check_filters(filters or {})
        return Runs(self._where, query, dict(filters or {}), order)

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api", name)


class Runs:
    """What :meth:`Api.runs` found: a sequence. The store is asked when it is first used."""

    def __init__(
        self, where: QuarkSettings, query: RunQuery, filters: Mapping[str, Any], order: str
    ) -> None:
        self._where = where
        self._query = query
        self._filters = filters
        self._order = order

    @cached_property
    def _runs(self) -> list[ApiRun]:
        with reading(self._where) as store:
            records = store.records.list_runs(self._query)
        found = [ApiRun(self._where, record) for record in records]
        if self._filters:
            found = [run for run in found if matches(run, self._filters)]
        return sorted(found, key=sort_key(self._order), reverse=self._order.startswith("-"))

    def __bool__(self) -> bool:
        return bool(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[ApiRun]:
        return iter(self._runs)

    @overload
    def __getitem__(self, index: int) -> ApiRun: ...
    @overload
    def __getitem__(self, index: slice) -> list[ApiRun]: ...
    def __getitem__(self, index: int | slice) -> ApiRun | list[ApiRun]:
        return self._runs[index]

    def __repr__(self) -> str:
        return f"<Runs: {len(self._runs)}>"
