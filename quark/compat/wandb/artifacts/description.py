"""What an artifact says of itself, and what of that can be set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from quark.catalog.model import CollectionKey, Version
from quark.compat.wandb import term
from quark.compat.wandb.artifacts.content import Content
from quark.compat.wandb.artifacts.exceptions import ArtifactNotLoggedError
from quark.compat.wandb.artifacts.rules import (
    check_aliases,
    check_metadata,
    check_name,
    check_tags,
    check_type,
)
from quark.compat.wandb.artifacts.ttl import ArtifactTTL

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.collections import ArtifactCollection


class Description(Content):
    """An artifact without its verbs. ``_found`` is what the catalog has of it once logged."""

    def __init__(
        self,
        name: str,
        type: str,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        incremental: bool = False,
        use_as: str | None = None,
        storage_region: str | None = None,
        digest_algorithm: str = "MD5",
    ) -> None:
        super().__init__()
        self._given_name = check_name(name)
        self._type = self._checked_type(type, name)
        self._description = description
        self._metadata = check_metadata(metadata)
        self._incremental = incremental
        self._base_index: int | None = None
        self._state = "PENDING"
        self._found: Version | None = None
        self._target: CollectionKey | None = None  # where a draft of a version has to go
        self._aliases: list[str] = []
        self._tags: list[str] = []
        self._ttl_seconds: int | None = None
        self._ttl_inherited = True
        self._ttl_changed = False
        self._distributed_id: str | None = None
        if digest_algorithm != "MD5":
            term.warn_once("digest_algorithm", "digests of artifacts are always MD5 here.")
        if use_as is not None:
            term.warn_once("Artifact use_as", "use_as= has no effect; W&B has given it up too.")

    def _checked_type(self, type: str, name: str) -> str:
        return check_type(type, name)

    # -- names -------------------------------------------------------------------------------

    @property
    def id(self) -> str | None:
        """What no other version has; None before the artifact is logged."""
        return None if self._found is None else self._found.id

    @property
    def name(self) -> str:
        """``name:v3``, or the name alone before the artifact is logged."""
        return self._given_name if self._found is None else self._found.name

    @property
    def type(self) -> str:
        return self._type

    @property
    def entity(self) -> str:
        return self._logged("entity").key.workspace

    @property
    def project(self) -> str:
        return self._logged("project").key.project

    @property
    def qualified_name(self) -> str:
        """``entity/project/name:v3``."""
        return f"{self.entity}/{self.project}/{self.name}"

    @property
    def version(self) -> str:
        """``v3``; of a link the version in the collection that it was found in."""
        return f"v{self._logged('version').index}"

    @property
    def source_entity(self) -> str:
        return self._logged("source_entity").source.workspace

    @property
    def source_project(self) -> str:
        return self._logged("source_project").source.project

    @property
    def source_name(self) -> str:
        """The name under which the version was logged."""
        found = self._found
        return self._given_name if found is None else f"{found.source.name}:v{found.source_index}"

    @property
    def source_qualified_name(self) -> str:
        return f"{self.source_entity}/{self.source_project}/{self.source_name}"

    @property
    def source_version(self) -> str:
        return f"v{self._logged('source_version').source_index}"

    @property
    def collection(self) -> ArtifactCollection:
        """The collection that the version was found in."""
        return self._collection(self._logged("collection").key)

    @property
    def source_collection(self) -> ArtifactCollection:
        """The collection that the version was logged to."""
        return self._collection(self._logged("source_collection").source)

    @property
    def is_link(self) -> bool:
        """Whether this was found in a collection that links to it."""
        return self._found is not None and self._found.is_link

    @property
    def url(self) -> str:
        """Nothing: the artifact is on this machine."""
        self._logged("url")
        return ""

    # -- what can be set ---------------------------------------------------------------------

    @property
    def description(self) -> str | None:
        return self._description

    @description.setter
    def description(self, description: str | None) -> None:
        self._description = description

    @property
    def metadata(self) -> dict[str, Any]:
        return self._metadata

    @metadata.setter
    def metadata(self, metadata: Mapping[str, Any] | str | None) -> None:
        self._metadata = check_metadata(metadata)

    @property
    def aliases(self) -> list[str]:
        """Words that lead to this version; what is changed here is stored by ``save``."""
        self._logged("aliases")
        return self._aliases

    @aliases.setter
    def aliases(self, aliases: Iterable[str] | str) -> None:
        self._logged("aliases")
        self._aliases = check_aliases(aliases)

    @property
    def tags(self) -> list[str]:
        """Words for this version, which others may have too; stored by ``save``."""
        self._logged("tags")
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str] | str) -> None:
        self._logged("tags")
        self._tags = check_tags(tags)

    @property
    def ttl(self) -> timedelta | None:
        """How long the version lives, from when it was made; None for ever.

        Versions that have outlived it are deleted by ``quark.catalog.removal.collect``, not by
        themselves.
        """
        if self._ttl_inherited and (self._found is None or self._ttl_changed):
            raise ArtifactNotLoggedError("Artifact.ttl", self)
        return None if self._ttl_seconds is None else timedelta(seconds=self._ttl_seconds)

    @ttl.setter
    def ttl(self, ttl: timedelta | ArtifactTTL | None) -> None:
        if self.is_link:
            raise ValueError(
                f"{self.name} is a link, which has no ttl of its own; set that of "
                f"{self.source_name}."
            )
        if isinstance(ttl, timedelta) and ttl.total_seconds() <= 0:
            raise ValueError(f"A ttl of {ttl} is not positive; use None for ever.")
        self._ttl_changed = True
        self._ttl_inherited = isinstance(ttl, ArtifactTTL)
        self._ttl_seconds = int(ttl.total_seconds()) if isinstance(ttl, timedelta) else None

    @property
    def distributed_id(self) -> str | None:
        return self._distributed_id

    @distributed_id.setter
    def distributed_id(self, distributed_id: str | None) -> None:
        self._distributed_id = distributed_id

    # -- facts -------------------------------------------------------------------------------

    @property
    def incremental(self) -> bool:
        """Whether it keeps what the version before it has and it does not name."""
        return self._incremental

    @property
    def use_as(self) -> str | None:
        """None; W&B has given it up."""

    @property
    def state(self) -> str:
        """``PENDING``, ``COMMITTED`` or ``DELETED``."""
        return self._state

    @property
    def digest(self) -> str:
        """What tells the content of two artifacts apart; W&B has the same."""
        if self._contents is None and self._found is not None:
            return self._found.digest
        return self.manifest.digest()

    @property
    def digest_algorithm(self) -> str:
        return "MANIFEST_MD5"

    @property
    def size(self) -> int:
        """In bytes, with references as far as their size is known."""
        if self._contents is None and self._found is not None:
            return self._found.size_bytes
        return self.manifest.size()

    @property
    def commit_hash(self) -> str:
        """The SHA-256 of the manifest as it is kept."""
        return self._logged("commit_hash").manifest_sha256

    @property
    def file_count(self) -> int:
        """How many entries there are, references among them."""
        return self._logged("file_count").file_count

    @property
    def created_at(self) -> str:
        return self._logged("created_at").created_at

    @property
    def updated_at(self) -> str:
        return self._logged("updated_at").updated_at

    @property
    def linked_at(self) -> str | None:
        """When this link was made; None if it is none."""
        return self._logged("linked_at").linked_at

    @property
    def history_step(self) -> int | None:
        """The run's row before the artifact was logged."""
        step = self._logged("history_step").step
        return None if step is None else max(0, step - 1)

    def is_draft(self) -> bool:
        """Say whether the artifact is not stored yet."""
        return self._found is None

    def json_encode(self) -> dict[str, Any]:
        """Return what stands for the artifact in a config."""
        found = self._logged("json_encode")
        return {
            "_type": "artifactVersion",
            "_version": "v0",
            "id": found.id,
            "version": self.source_version,
            "sequenceName": found.source.name,
            "usedAs": None,
        }

    def __repr__(self) -> str:
        return f"<Artifact {self.id or self.name}>"

    # -- inside ------------------------------------------------------------------------------

    def _logged(self, name: str) -> Version:
        if self._found is None:
            raise ArtifactNotLoggedError(f"Artifact.{name}", self)
        return self._found

    def _collection(self, key: CollectionKey) -> ArtifactCollection:
        """Return a collection; a class that can be made of a version says how."""
        raise NotImplementedError

    def _take_version(self, version: Version) -> None:
        """Let this object be ``version``, as it is in the catalog."""
        self._found = version
        self._state = "COMMITTED"
        self._type = version.type
        self._description = version.description
        self._metadata = check_metadata(version.metadata)
        self._aliases = list(version.aliases)
        self._tags = list(version.tags)
        self._ttl_seconds, self._ttl_inherited = version.ttl_seconds, version.ttl_inherited
        self._ttl_changed = False
        self._contents = None
        self.finalize()
