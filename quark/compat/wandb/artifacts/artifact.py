"""``wandb.Artifact``: a version of files that belong together, before and after it is logged."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from quark.catalog import lineage
from quark.catalog.commit import link
from quark.catalog.editing import change_aliases, change_version
from quark.catalog.model import CollectionKey, RunRef, Version
from quark.catalog.reading import find_by_document, find_by_id, links_of
from quark.catalog.removal import delete_version
from quark.compat.wandb import current
from quark.compat.wandb.artifacts.collections import ArtifactCollection
from quark.compat.wandb.artifacts.description import Description
from quark.compat.wandb.artifacts.exceptions import (
    ArtifactLookupError,
    ArtifactNotLoggedError,
    WaitTimeoutError,
)
from quark.compat.wandb.artifacts.files import StoredFiles
from quark.compat.wandb.artifacts.manifest import ArtifactManifest
from quark.compat.wandb.artifacts.place import Place
from quark.compat.wandb.artifacts.rules import (
    ArtifactPath,
    check_aliases,
    check_metadata,
    usable_aliases,
)
from quark.compat.wandb.errors import CommError
from quark.compat.wandb.term import termwarn
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.compat.wandb.api_run import ApiRun
    from quark.compat.wandb.artifacts.saving import Saving


class Artifact(StoredFiles):
    """Files, references and tables under a name, of which each new content is a new version.

    Args:
        name: Letters, digits, ``-``, ``_`` and ``.``, at most 128.
        type: What it is, e.g. ``"dataset"`` or ``"model"``; one name has one type.
        description: A text about it.
        metadata: What JSON can hold, at most 100 keys.
        incremental: Keep what the latest version has and this one does not name.
        use_as: Accepted; W&B has given it up.
        storage_region: Accepted; everything is kept in the local store.
        digest_algorithm: Accepted; digests are MD5.

    Raises:
        ValueError: The name, the type or the metadata breaks a rule.
        TypeError: The metadata is no JSON.
    """

    _saving: Saving | None = None
    _home: Place | None = None  # where it is logged to, once it is

    @classmethod
    def of_version(cls, place: Place, version: Version) -> Artifact:
        """Return the artifact that a version of the catalog is."""
        artifact = cls.__new__(cls)
        Description.__init__(artifact, "placeholder", "placeholder")
        artifact._given_name = version.key.name
        artifact._place = place
        artifact._take_version(version)
        return artifact

    def new_draft(self) -> Artifact:
        """Return an artifact with the same content, to be changed and logged as a new version.

        Raises:
            ArtifactNotLoggedError: This one was not logged.
        """
        found = self._logged("new_draft")
        draft = Artifact.__new__(Artifact)
        Description.__init__(draft, "placeholder", "placeholder")
        draft._given_name, draft._type = found.source.name, found.type
        draft._description, draft._metadata = self.description, dict(self.metadata)
        draft._place, draft._target = self._place, found.source
        draft._contents = ArtifactManifest.of(self.manifest.kept())
        return draft

    # -- saving ------------------------------------------------------------------------------

    def save(self, project: str | None = None, settings: Any = None) -> None:
        """Store what was changed: of a draft everything, by logging it to the open run or to one
        of its own; else aliases, tags, description, metadata and ttl.

        Raises:
            CommError: The version was deleted.
            ValueError: An alias or a tag breaks a rule.
        """
        if self._found is not None:
            self._save_changes(self._found)
            return
        from quark.compat import wandb

        run = current.bound_run() or next(reversed(current.open_runs()), None)
        if run is not None:
            run.log_artifact(self)
            return
        target = self._target
        with wandb.init(
            project=project or (target.project if target else None),
            entity=target.workspace if target else None,
            job_type="auto",
            settings={"silent": True} if settings is None else settings,
        ) as run:
            run.log_artifact(self)

    def wait(self, timeout: float | None = None) -> Artifact:
        """Wait until the artifact is stored, at most ``timeout`` seconds; return it.

        Raises:
            ArtifactNotLoggedError: It was not logged.
            WaitTimeoutError: It took longer; with a service that is away, what is said is where
                it rests meanwhile. ``None`` means ``finish_timeout_seconds`` then.
            ValueError: It could not be stored.
        """
        if self._found is None:
            if self._saving is None:
                raise ArtifactNotLoggedError("Artifact.wait", self)
            if not self._saving.wait(timeout):
                within = "" if timeout is None else f" within {timeout} s"
                raise WaitTimeoutError(
                    f"{self.name} was not stored{within}: {self._saving.why_not}."
                )
            self._saving.raise_failure()
            self._place = self._home
            if self._saving.version is not None:
                self._take_version(self._saving.version)
        return self

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete the version, and links to it; of a link only the link.

        Raises:
            ArtifactNotLoggedError: It was not logged.
            CommError: It has aliases and not ``delete_aliases``, or was deleted already.
        """
        found = self._logged("delete")
        if found.is_link:
            termwarn(f"{self.name} is a link: only that is deleted, not {self.source_name}.")
        try:
            with self._staging().opened() as store:
                delete_version(store, found, with_aliases=delete_aliases)
        except SchemaValidationError as error:
            raise CommError(str(error)) from error
        self._state = "DELETED"

    def link(self, target_path: str, aliases: Iterable[str] | None = None) -> Artifact:
        """Let the version be found in another collection too, e.g. of a registry.

        An artifact that was not logged is logged first. Where a service is to keep it and is away,
        the version is linked when it is back, and this artifact is returned.

        Raises:
            ValueError: ``target_path`` is no path of a collection, or has versions of its own.
        """
        wanted = usable_aliases(check_aliases(list(aliases or ())))
        target = ArtifactPath.parse(target_path)
        if self._found is None:
            if self._saving is None:
                self.save()
            if self._saving is not None and not self._saving.was_sent():
                return self._link_later(self._saving, target, wanted)
            self.wait()
        found = self._logged("link")
        place = self._staging()
        key = CollectionKey(
            target.entity or found.source.workspace,
            target.project or place.project,
            target.name,
        )
        with place.opened() as store:
            return Artifact.of_version(place, link(store, found, key, wanted))

    def unlink(self) -> None:
        """Take the version out of the collection that links to it.

        Raises:
            ArtifactNotLoggedError: It was not logged.
            ValueError: It is no link.
        """
        if not self._logged("unlink").is_link:
            raise ValueError(f"{self.qualified_name} is no link; use delete() to delete it.")
        with self._staging().opened() as store:
            delete_version(store, self._logged("unlink"))

    # -- lineage -----------------------------------------------------------------------------

    def logged_by(self) -> ApiRun | None:
        """Return the run that logged the version; None if it is gone.

        Raises:
            ArtifactNotLoggedError: It was not logged.
        """
        run = self._logged("logged_by").logged_by
        return None if run is None else self._run(run)

    def used_by(self) -> list[ApiRun]:
        """Return the runs that used the version.

        Raises:
            ArtifactNotLoggedError: It was not logged.
        """
        found = self._logged("used_by")
        with self._staging().opened() as store:
            refs = lineage.runs_of(store, found, lineage.INPUT)
        return [run for run in map(self._run, refs) if run is not None]

    @property
    def linked_artifacts(self) -> list[Artifact]:
        """The links to this version; of a link none."""
        found = self._logged("linked_artifacts")
        if found.is_link:
            return []
        place = self._staging()
        with place.opened() as store:
            return [Artifact.of_version(place, version) for version in links_of(store, found)]

    @property
    def source_artifact(self) -> Artifact:
        """What this is a link to, or this."""
        found = self._logged("source_artifact")
        if not found.is_link:
            return self
        place = self._staging()
        with place.opened() as store:
            source = find_by_document(store, found.document)
        if source is None:
            raise ValueError(f"{self.source_name} was deleted.")
        return Artifact.of_version(place, source)

    # -- inside ------------------------------------------------------------------------------

    def _log_to(self, saving: Saving, home: Place) -> None:
        self._saving, self._home = saving, home

    def _link_later(self, saving: Saving, target: ArtifactPath, aliases: Iterable[str]) -> Artifact:
        from quark.compat.wandb.artifacts.saving import rest_link

        source = saving.draft.key
        key = CollectionKey(
            target.entity or source.workspace, target.project or source.project, target.name
        )
        file = rest_link(saving, key, aliases)
        termwarn(
            f"{self.name} is linked to {key} when the store has it; until then {file} says so."
        )
        return self

    def _collection(self, key: CollectionKey) -> ArtifactCollection:
        return ArtifactCollection.find(self._staging(), Artifact.of_version, key)

    def _with_id(self, id: str) -> Artifact:
        return artifact_of(self._staging(), id)

    def _save_changes(self, found: Version) -> None:
        old, new = found.aliases, usable_aliases(self._aliases)
        fields: dict[str, Any] = {
            "description": self._description,
            "metadata": check_metadata(self._metadata),
            "tags": list(self._tags),
        }
        if self._ttl_changed:
            fields |= {"ttl_seconds": self._ttl_seconds, "ttl_inherited": self._ttl_inherited}
        with self._staging().opened() as store:
            change_version(store, found, fields)
            added = [alias for alias in new if alias not in old]
            removed = [alias for alias in old if alias not in new]
            if added or removed:
                change_aliases(store, found, added, removed)
            name = f"{found.key.document}/{found.index:010d}"
            version = find_by_document(store, name)
        if version is not None:
            self._take_version(version)

    def _run(self, ref: RunRef) -> ApiRun | None:
        place = self._staging()
        try:
            with place.opened() as store:
                record = store.records.get_run(ref.run_id)
        except CommError:
            return None
        public = import_module("quark.compat.wandb.apis.public")  # which knows artifacts itself
        run: ApiRun = public.Run(place.where, record)
        return run


def artifact_of(place: Place, id: str) -> Artifact:
    """Return the artifact with an id.

    Raises:
        ArtifactLookupError: There is none; a CommError and a ValueError.
    """
    with place.opened() as store:
        version = find_by_id(store, id)
    if version is None:
        raise ArtifactLookupError(f"There is no artifact with the id {id!r} any more.")
    return Artifact.of_version(place, version)
