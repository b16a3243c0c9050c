"""``wandb.Api``: runs of the local store, read back as W&B gives them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.api_artifact_queries import ArtifactQueries
from quark.compat.wandb.api_creation import (
    DEFAULT_PROJECT,
    create_project,
    create_run,
    known_projects,
    new_run,
)
from quark.compat.wandb.api_people import ApiProject, ApiProjects, ApiTeam, ApiUser
from quark.compat.wandb.api_run import ApiRun
from quark.compat.wandb.api_runs import OLDEST_FIRST, Runs
from quark.compat.wandb.environment import read_environment
from quark.compat.wandb.errors import CommError, Error, unsupported
from quark.compat.wandb.naming import check_id, check_project, generate_id
from quark.compat.wandb.place import quark_settings
from quark.compat.wandb.reading import reading
from quark.compat.wandb.settings import KNOWN, Settings
from quark.compat.wandb.symbols import refuse_attribute
from quark.errors import RunNotFoundError, SessionStoreError
from quark.storage.model import RunQuery

if TYPE_CHECKING:
    from quark.compat.wandb.api_sweeps import ApiSweep


class Api(ArtifactQueries):
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
        """Return the projects that have runs or were created, of ``entity`` or of all."""
        with reading(self._where) as store:
            found = known_projects(store)
        return ApiProjects(
            [ApiProject(record, self) for record in found if entity in (None, record.workspace)]
        )

    def project(self, name: str, entity: str | None = None) -> ApiProject:
        """Return one project.

        Raises:
            CommError: There is none of this name.
        """
        for project in self.projects(entity):
            if project.name == name:
                return project
        raise CommError(f"No project {name!r} in {self._where.storage_path}.")

    def create_project(self, name: str, entity: str | None = None) -> None:
        """Make a project that has no runs yet; one that is there already is left as it is.

        Raises:
            UsageError: ``name`` cannot be the name of a project.
        """
        with reading(self._where) as store:
            create_project(store, check_project(name), entity or self.default_entity)

    def create_run(
        self,
        *,
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
    ) -> ApiRun:
        """Create a run that nobody writes into yet; ``init(id=..., resume="must")`` goes on with
        it.

        Raises:
            UsageError: The id or the project cannot be used, or there is such a run already.
        """
        run = new_run(
            run_id=check_id(run_id or generate_id()),
            project=check_project(project or self._project or DEFAULT_PROJECT),
            workspace=entity or self.default_entity,
        )
        with reading(self._where, run.id) as store:
            return ApiRun(self._where, create_run(store, run))

    def user(self, username_or_email: str) -> ApiUser | None:
        """Return the workspace of that name as a user; None if it has no runs."""
        return next(iter(self.users(username_or_email)), None)

    def users(self, username_or_email: str) -> list[ApiUser]:
        """Return the workspaces of that name as users: one or none."""
        names = {self.default_entity, *(project.entity for project in self.projects())}
        return [ApiUser(name) for name in sorted(names) if name == username_or_email]

    def team(self, team: str) -> ApiTeam:
        """Return a workspace as a team of one."""
        return ApiTeam(team)

    @property
    def user_agent(self) -> str:
        return "W&B Public Client 0.31.0"

    def from_path(self, path: str) -> Any:
        """Return the project, run or sweep that ``project``, ``entity/project``,
        ``entity/project/id`` or ``entity/project/runs/id`` (``sweeps``) names.

        Raises:
            Error: The path names none of these.
        """
        parts = path.strip("/ ").split("/")
        if len(parts) < 3:
            return self.project(parts[-1], parts[0] if len(parts) > 1 else None)
        if len(parts) == 3 or (len(parts) == 4 and parts[2].startswith("run")):
            return self.run(path.strip("/ "))
        if len(parts) == 4 and parts[2].startswith("sweep"):
            return self.sweep(path.strip("/ "))
        if len(parts) == 4 and parts[2].startswith("report"):
            raise unsupported("wandb.Api.reports")
        raise Error(
            f"Path {path!r} is none of 'project', 'entity/project', 'entity/project/runs/id' and "
            "'entity/project/sweeps/id'."
        )

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
        order: str = OLDEST_FIRST,
        per_page: int = 50,
        include_sweeps: bool = True,
        lazy: bool = True,
    ) -> Runs:
        """Return the runs of ``entity/project`` or ``project`` that pass ``filters``.

        Args:
            filters: MongoDB's words on ``config.x``, ``summary_metrics.x``, ``tags``, ``state``,
                ``group``, ``display_name``, ``jobType``, ``created_at`` and other fields.
            order: ``created_at``, ``summary_metrics.x`` and the like, with ``-`` before it for
                the highest first.
            per_page: How many runs are read at once.
            include_sweeps: Accepted; a sweep is read when it is asked for.
            lazy: Accepted; config and summary are read when they are asked for.

        Raises:
            ValueError: ``filters`` hold a word that is not understood.
        """
        parts = [part for part in (path or "").split("/") if part]
        query = RunQuery(
            project=parts[-1] if parts else self._project,
            workspace=parts[0] if len(parts) > 1 else None,
        )
        return Runs(self._where, query, filters, order, per_page)

    def sweep(self, path: str = "") -> ApiSweep:
        """Return a sweep by ``id``, ``project/id`` or ``entity/project/id``.

        Raises:
            SweepNotFoundError: There is no such sweep; a CommError and a ValueError.
            UsageError: ``path`` is none of these.
        """
        from quark.compat.wandb.api_sweeps import find_sweep

        return find_sweep(self._where, path, ApiRun)

    def sweeps_of(self, entity: str, project: str) -> list[ApiSweep]:
        """Return the sweeps of a project, the oldest first."""
        from quark.compat.wandb.api_sweeps import list_sweeps

        return list_sweeps(self._where, entity, project, ApiRun)

    def sync_tensorboard(
        self,
        root_dir: str,
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
    ) -> ApiRun:
        """Make a run of what the event files below a folder hold, and return it.

        Raises:
            MissingLibraryError: tensorboard, which reads them, is not installed.
        """
        from quark.compat.wandb.integration.tensorboard import log_folder

        wandb = import_module("quark.compat.wandb")  # as a script would: it knows this module
        with wandb.init(
            project=project or self._project,
            entity=entity,
            id=run_id,
            dir=str(self._where.storage_path),
            reinit="create_new",
            resume="allow",
        ) as run:
            log_folder(run, root_dir)
        return self.run(run.id)

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api", name)
