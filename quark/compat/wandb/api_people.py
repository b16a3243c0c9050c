"""Users and projects as ``wandb.Api`` gives them. There are no accounts: a workspace is a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from quark.compat.wandb.api_lists import Listed
from quark.compat.wandb.symbols import refuse_attribute
from quark.records import ProjectRecord

if TYPE_CHECKING:
    from quark.compat.wandb.api_sweeps import ApiSweep
    from quark.compat.wandb.artifacts.collections import ArtifactCollection, ArtifactTypes


class ApiUser:
    """Who owns a run: its workspace, by W&B's names."""

    def __init__(self, workspace: str) -> None:
        self.id = self.name = self.username = self.entity = workspace
        self.email: str | None = None
        self.admin = False
        self.teams: list[str] = []

    def __repr__(self) -> str:
        return f"<User {self.username}>"


class ApiTeam:
    """A workspace, by the names of a team of W&B's. It has one member."""

    def __init__(self, workspace: str) -> None:
        self.id = self.name = self.entity = workspace
        self.members = [ApiUser(workspace)]

    def load(self, force: bool = False) -> dict[str, Any]:
        """Return what is known of it."""
        return {"name": self.name, "members": [member.name for member in self.members]}

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api team", name)

    def __repr__(self) -> str:
        return f"<Team {self.name}>"


class Lists(Protocol):
    """What lists the parts of a project: the Api that gave it."""

    def sweeps_of(self, entity: str, project: str) -> list[ApiSweep]: ...
    def artifact_types(self, project: str | None = None) -> ArtifactTypes: ...


class ApiProject:
    """A project that has runs."""

    def __init__(self, record: ProjectRecord, lists: Lists) -> None:
        self._lists = lists
        self.id = record.id
        self.name = record.name
        self.entity = record.workspace
        self.created_at = record.created_at
        self.owner = ApiUser(record.workspace)

    @property
    def path(self) -> list[str]:
        return [self.entity, self.name]

    @property
    def url(self) -> None:
        """None: the project is on this machine."""

    def sweeps(self, per_page: int = 50, **_: Any) -> list[ApiSweep]:
        """Return the sweeps of the project, the oldest first."""
        return self._lists.sweeps_of(self.entity, self.name)

    def artifacts_types(self, per_page: int = 50) -> ArtifactTypes:
        """Return the types of the project's artifacts."""
        return self._lists.artifact_types("/".join(self.path))

    def collections(self, per_page: int = 50, **_: Any) -> list[ArtifactCollection]:
        """Return the collections of artifacts of the project, by type and name."""
        return [found for kind in self.artifacts_types() for found in kind.collections()]

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api project", name)

    def __repr__(self) -> str:
        return f"<Project {'/'.join(self.path)}>"


class ApiProjects(Listed[ApiProject]):
    """Projects, by name."""

    SHOWN = "Projects"
