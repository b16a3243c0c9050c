"""Types, collections and versions of artifacts as ``wandb.Api`` gives them.

Lists are read when they are made, and are complete; ``per_page`` and ``start`` are accepted. Who
asks says with ``make`` how a version becomes an artifact: artifacts know their collections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from quark.catalog.editing import change_collection
from quark.catalog.model import Collection, CollectionKey, Version
from quark.catalog.reading import find_collection, list_collections, list_versions
from quark.catalog.removal import delete_collection
from quark.compat.wandb.api_lists import Listed
from quark.compat.wandb.artifacts.exceptions import ArtifactLookupError
from quark.compat.wandb.artifacts.place import Place
from quark.compat.wandb.artifacts.rules import check_tags, check_type
from quark.compat.wandb.symbols import refuse_attribute
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.artifact import Artifact

#: From a version of the catalog to an artifact.
Make = Callable[[Place, Version], "Artifact"]


class ArtifactTypes(Listed["ArtifactType"]):
    """The types of artifacts of a project, by name."""


class ArtifactCollections(Listed["ArtifactCollection"]):
    """Collections of a project, by name."""


class Artifacts(Listed["Artifact"]):
    """The versions of a collection, newest first."""


class RunArtifacts(Listed["Artifact"]):
    """What a run logged or used, in that order."""


class ArtifactType:
    """One type of artifacts of a project."""

    def __init__(self, place: Place, make: Make, entity: str, project: str, name: str) -> None:
        self._place, self._make = place, make
        self.entity, self.project, self.name = entity, project, name
        self.type = name

    @property
    def id(self) -> str:
        return f"{self.entity}/{self.project}/{self.name}"

    def collections(self, **_: Any) -> ArtifactCollections:
        """Return the collections of this type."""
        return collections_of(self._place, self._make, self.entity, self.project, self.name)

    def collection(self, name: str) -> ArtifactCollection:
        """Return a collection of this type.

        Raises:
            ArtifactLookupError: There is none of this name.
        """
        key = CollectionKey(self.entity, self.project, name)
        return ArtifactCollection.find(self._place, self._make, key, self.name)

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("ArtifactType", name)

    def __repr__(self) -> str:
        return f"<ArtifactType {self.name}>"


class ArtifactCollection:
    """A collection of versions. ``description``, ``tags`` and ``type`` can be set and saved."""

    def __init__(self, place: Place, make: Make, found: Collection) -> None:
        self._place, self._make = place, make
        self._take(found)

    @classmethod
    def find(cls, place: Place, make: Make, key: CollectionKey, type: str | None = None) -> Self:
        """Return a collection.

        Raises:
            ArtifactLookupError: There is none, or it is of another type.
        """
        with place.opened() as store:
            found = find_collection(store, key)
        if found is None or type not in (None, found.type):
            what = "" if type is None else f" of type {type!r}"
            raise ArtifactLookupError(f"There is no collection {key}{what}.")
        return cls(place, make, found)

    def _take(self, found: Collection) -> None:
        self._saved = found
        self.name = found.key.name
        self.type = found.type
        self.description = found.description
        self.tags: Iterable[str] = list(found.tags)

    @property
    def id(self) -> str:
        return str(self._saved.key)

    @property
    def entity(self) -> str:
        return self._saved.key.workspace

    @property
    def project(self) -> str:
        return self._saved.key.project

    @property
    def aliases(self) -> list[str]:
        """The aliases of all its versions, and the names of these."""
        with self._place.opened() as store:
            versions = list_versions(store, self._saved.key)
        return [*self._saved.aliases, *(f"v{version.index}" for version in versions)]

    @property
    def created_at(self) -> str:
        return self._saved.created_at

    @property
    def updated_at(self) -> str:
        return self._saved.updated_at

    def is_sequence(self) -> bool:
        """Say whether runs log to it, rather than link to it."""
        return not self._saved.is_portfolio

    def artifacts(self, per_page: int = 50, **_: Any) -> Artifacts:
        """Return the versions, newest first."""
        return versions_of(self._place, self._make, self._saved.key)

    def versions(self, per_page: int = 50) -> Artifacts:
        """Return the versions; W&B's old name of :meth:`artifacts`."""
        return self.artifacts(per_page)

    def change_type(self, new_type: str) -> None:
        """Give all versions another type, and save that."""
        self.type = new_type
        self.save()

    def save(self) -> None:
        """Store what was changed.

        Raises:
            ValueError: It cannot be changed: a name never can, nor the type of a portfolio.
        """
        saved = self._saved
        if self.name != saved.key.name:
            raise SchemaValidationError(
                f"The collection {saved.key} cannot be called {self.name!r} from now on: what used "
                "it is noted under its name. Link its versions to a collection of that name."
            )
        fields: dict[str, Any] = {"description": self.description, "tags": check_tags(self.tags)}
        if self.type != saved.type:
            fields["type"] = check_type(self.type, self.name)
        with self._place.opened() as store:
            self._take(change_collection(store, saved, fields))

    def delete(self) -> None:
        """Delete the collection with all versions; of a portfolio only the links."""
        with self._place.opened() as store:
            delete_collection(store, self._saved.key)

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("ArtifactCollection", name)

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.name} ({self.type})>"


def types_of(place: Place, make: Make, entity: str, project: str) -> ArtifactTypes:
    """Return the types of a project's artifacts."""
    with place.opened() as store:
        found = {item.type for item in list_collections(store, entity, project)}
    return ArtifactTypes(
        [ArtifactType(place, make, entity, project, name) for name in sorted(found)]
    )


def collections_of(
    place: Place, make: Make, entity: str, project: str, type: str
) -> ArtifactCollections:
    """Return a project's collections of one type."""
    with place.opened() as store:
        found = list_collections(store, entity, project, type)
    return ArtifactCollections([ArtifactCollection(place, make, item) for item in found])


def versions_of(
    place: Place,
    make: Make,
    key: CollectionKey,
    type: str | None = None,
    tags: Iterable[str] = (),
    order: str | None = None,
) -> Artifacts:
    """Return the versions of a collection that have all ``tags``, newest first or by ``order``."""
    with place.opened() as store:
        collection = find_collection(store, key)
        if collection is None or type not in (None, collection.type):
            return Artifacts([])
        found = list_versions(store, key)
    wanted = set(tags)
    chosen = [version for version in found if wanted <= set(version.tags)]
    field = (order or "-versionIndex").lstrip("+-")
    chosen.sort(key=_ORDERS.get(field, _ORDERS["versionIndex"]))
    if order is None or order.startswith("-"):
        chosen.reverse()
    return Artifacts([make(place, version) for version in chosen])


_ORDERS: dict[str, Callable[[Any], Any]] = {
    "versionIndex": lambda version: version.index,
    "version_index": lambda version: version.index,
    "createdAt": lambda version: version.created_at,
    "created_at": lambda version: version.created_at,
    "updatedAt": lambda version: version.updated_at,
    "updated_at": lambda version: version.updated_at,
    "size": lambda version: version.size_bytes,
}
