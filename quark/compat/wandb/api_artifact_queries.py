"""The methods of ``wandb.Api`` and of its runs that are about artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quark.catalog import lineage
from quark.catalog.editing import change_aliases, change_version
from quark.catalog.model import RunRef
from quark.compat.wandb.errors import CommError

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.artifact import Artifact
    from quark.compat.wandb.artifacts.collections import (
        ArtifactCollection,
        ArtifactCollections,
        Artifacts,
        ArtifactType,
        ArtifactTypes,
        RunArtifacts,
    )
    from quark.compat.wandb.artifacts.place import Place
    from quark.records import RunRecord
    from quark.settings import Settings as QuarkSettings


class ArtifactQueries:
    """Finds artifacts by ``entity/project/name:alias``, of which the end is enough."""

    _where: QuarkSettings
    _project: str | None

    def artifact(self, name: str, type: str | None = None) -> Artifact:
        """Return a version; without an alias the latest.

        Raises:
            CommError: There is none, or it has another type; also a ValueError.
        """
        from quark.compat.wandb.artifacts.finding import artifact_by_name

        if name is None:
            raise ValueError("artifact() needs the name of an artifact, such as 'project/data:v0'.")
        return artifact_by_name(self._artifact_place(), name, type)

    def artifact_exists(self, name: str, type: str | None = None) -> bool:
        """Say whether there is such a version."""
        try:
            self.artifact(name, type)
        except CommError:
            return False
        return True

    def artifacts(
        self,
        type_name: str,
        name: str,
        order: str | None = None,
        per_page: int = 50,
        tags: str | Sequence[str] | None = None,
        start: str | None = None,
    ) -> Artifacts:
        """Return the versions of a collection, newest first.

        Args:
            order: ``createdAt`` or another field, with ``-`` before it for the highest first.
            tags: Only versions that have all of these.
        """
        from quark.compat.wandb.artifacts.artifact import Artifact
        from quark.compat.wandb.artifacts.collections import versions_of
        from quark.compat.wandb.artifacts.rules import ArtifactPath

        place = self._artifact_place()
        wanted = [tags] if isinstance(tags, str) else tags or ()
        key = place.key(ArtifactPath.parse(name))
        return versions_of(place, Artifact.of_version, key, type_name, wanted, order)

    def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> Artifacts:
        """Return the versions of a collection; W&B's old name of :meth:`artifacts`."""
        return self.artifacts(type_name, name)

    def artifact_type(self, type_name: str, project: str | None = None) -> ArtifactType:
        """Return a type of artifacts of a project."""
        from quark.compat.wandb.artifacts.artifact import Artifact
        from quark.compat.wandb.artifacts.collections import ArtifactType

        place, make = self._artifact_place(), Artifact.of_version
        return ArtifactType(place, make, *self._project_of(project), type_name)

    def artifact_types(self, project: str | None = None, start: str | None = None) -> ArtifactTypes:
        """Return the types of artifacts of a project."""
        from quark.compat.wandb.artifacts.artifact import Artifact
        from quark.compat.wandb.artifacts.collections import types_of

        place, make = self._artifact_place(), Artifact.of_version
        return types_of(place, make, *self._project_of(project))

    def artifact_collection(self, type_name: str, name: str) -> ArtifactCollection:
        """Return a collection.

        Raises:
            CommError: There is none, or it has another type; also a ValueError.
        """
        from quark.compat.wandb.artifacts.artifact import Artifact
        from quark.compat.wandb.artifacts.collections import ArtifactCollection
        from quark.compat.wandb.artifacts.rules import ArtifactPath

        place = self._artifact_place()
        key = place.key(ArtifactPath.parse(name))
        return ArtifactCollection.find(place, Artifact.of_version, key, type_name)

    def artifact_collections(
        self,
        project_name: str,
        type_name: str,
        order: str | None = None,
        per_page: int = 50,
        start: str | None = None,
    ) -> ArtifactCollections:
        """Return the collections of a project that have a type, by name."""
        from quark.compat.wandb.artifacts.artifact import Artifact
        from quark.compat.wandb.artifacts.collections import collections_of

        place, make = self._artifact_place(), Artifact.of_version
        return collections_of(place, make, *self._project_of(project_name), type_name)

    def artifact_collection_exists(self, name: str, type: str) -> bool:
        """Say whether there is such a collection."""
        try:
            self.artifact_collection(type, name)
        except CommError:
            return False
        return True

    def _artifact_place(self) -> Place:
        from quark.compat.wandb.artifacts.place import Place

        return Place(self._where, self._project)

    def _project_of(self, path: str | None) -> tuple[str, str]:
        """Return the workspace and the project that ``entity/project`` or ``project`` means."""
        place = self._artifact_place()
        parts = [part for part in (path or "").split("/") if part]
        project = parts[-1] if parts else place.project
        return parts[0] if len(parts) > 1 else place.workspace_of(project), project


class RunArtifactQueries:
    """What a run that is read back has to do with artifacts."""

    _where: QuarkSettings
    _record: RunRecord

    def logged_artifacts(self, per_page: int = 100) -> RunArtifacts:
        """Return what the run logged, in that order."""
        return self._artifacts_of(lineage.OUTPUT)

    def used_artifacts(self, per_page: int = 100) -> RunArtifacts:
        """Return what the run used, in that order."""
        return self._artifacts_of(lineage.INPUT)

    def use_artifact(self, artifact: Artifact, use_as: str | None = None) -> Artifact:
        """Note a version as an input of the run.

        Raises:
            ValueError: It is no artifact, or was not logged.
        """
        place = self._artifact_place()
        version = _version(artifact)
        with place.opened() as store:
            lineage.record_use(store, version, self._run_ref(), lineage.INPUT)
        return artifact

    def log_artifact(
        self,
        artifact: Artifact,
        aliases: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Artifact:
        """Note a version as an output of the run, and give it aliases and tags.

        Raises:
            TypeError: It is no artifact.
            ValueError: It was not logged, or is of another project.
        """
        from quark.compat.wandb.artifacts.artifact import Artifact
        from quark.compat.wandb.artifacts.rules import check_aliases, check_tags, usable_aliases

        if not isinstance(artifact, Artifact):
            raise TypeError(f"log_artifact() takes an artifact, not a {type(artifact).__name__}.")
        version, ref = _version(artifact), self._run_ref()
        if version.source[:2] != (ref.workspace, ref.project):
            raise ValueError(
                f"{artifact.source_qualified_name} is of another project than the run "
                f"({ref.workspace}/{ref.project})."
            )
        words = check_tags(tags)
        with self._artifact_place().opened() as store:
            change_aliases(store, version, usable_aliases(check_aliases(aliases)))
            if words:
                all_tags = list(dict.fromkeys((*version.tags, *words)))
                change_version(store, version, {"tags": all_tags})
            lineage.record_use(store, version, ref, lineage.OUTPUT)
        return artifact

    def _artifacts_of(self, direction: str) -> RunArtifacts:
        from quark.compat.wandb.artifacts.artifact import Artifact
        from quark.compat.wandb.artifacts.collections import RunArtifacts

        place = self._artifact_place()
        with place.opened() as store:
            found = lineage.versions_of(store, self._run_ref(), direction)
        return RunArtifacts([Artifact.of_version(place, version) for version in found])

    def _artifact_place(self) -> Place:
        from quark.compat.wandb.artifacts.place import Place

        return Place(self._where, self._record.project_name)

    def _run_ref(self) -> RunRef:
        record = self._record
        return RunRef(record.id, record.project_name, record.workspace)


def _version(artifact: Any) -> Any:
    from quark.compat.wandb.artifacts.artifact import Artifact

    if not isinstance(artifact, Artifact) or artifact.is_draft():
        raise ValueError(
            "Only an artifact that was logged can be noted of a run that is read back; get it "
            "with Api().artifact(name)."
        )
    return artifact._logged("use")
