"""Collections of artifacts and their versions, as they are read.

A collection is either a sequence, in which runs log one version after the other, or a portfolio
(a registry), whose versions are links to versions of sequences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from quark.catalog.manifest import Manifest
from quark.errors import SchemaValidationError

LATEST = "latest"
_INDEX = re.compile(r"v(\d+)")


class CollectionKey(NamedTuple):
    """Where a collection is."""

    workspace: str
    project: str
    name: str

    @property
    def document(self) -> str:
        """The name of its document; those of a project begin alike."""
        return "/".join(quote(part, safe="") or "%" for part in self)

    @classmethod
    def of_document(cls, name: str) -> CollectionKey:
        """Return the key of the document ``name``, which may be that of one of its versions."""
        parts = ("" if part == "%" else unquote(part) for part in name.split("/")[:3])
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class RunRef(NamedTuple):
    """A run that logged or used something."""

    run_id: str
    project: str
    workspace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A collection as it was when it was read. ``aliases`` leads to indices of versions."""

    key: CollectionKey
    type: str
    is_portfolio: bool
    description: str | None
    tags: tuple[str, ...]
    aliases: Mapping[str, int]
    next_index: int
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, name: str, body: Mapping[str, Any]) -> Collection:
        """Return the collection of a document."""
        return cls(
            key=CollectionKey.of_document(name),
            type=body["type"],
            is_portfolio=body["is_portfolio"],
            description=body["description"],
            tags=tuple(body["tags"]),
            aliases=body["aliases"],
            next_index=body["next_index"],
            created_at=body["created_at"],
            updated_at=body["updated_at"],
        )

    def aliases_of(self, index: int) -> tuple[str, ...]:
        """Return the aliases that lead to a version, in the order in which they were given."""
        return tuple(alias for alias, place in self.aliases.items() if place == index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of an artifact, seen from one collection.

    ``source`` and ``source_index`` say where it was logged; that is ``key`` and ``index`` unless
    this is a link. ``ttl_seconds`` counts from ``created_at``; None means for ever.
    """

    key: CollectionKey
    index: int
    aliases: tuple[str, ...]
    source: CollectionKey
    source_index: int
    id: str
    type: str
    digest: str
    manifest_sha256: str
    size_bytes: int
    file_count: int
    description: str | None
    metadata: Mapping[str, Any]
    tags: tuple[str, ...]
    ttl_seconds: int | None
    ttl_inherited: bool
    created_at: str
    updated_at: str
    logged_by: RunRef | None
    step: int | None
    linked_at: str | None = None

    @property
    def is_link(self) -> bool:
        return (self.key, self.index) != (self.source, self.source_index)

    @property
    def document(self) -> str:
        """The name of the document of the version itself, not of a link to it."""
        return version_document(self.source, self.source_index)

    @property
    def name(self) -> str:
        return f"{self.key.name}:v{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to become a version, or to join one.

    ``id``: what it is known by, so that it is committed once however often that is tried; None if
    it is tried once.
    ``base_index``: the version whose entries it keeps where it has none of its own. ``used``:
    whether the run is noted as a user of the version, not as what made it.
    """

    key: CollectionKey
    type: str
    manifest: Manifest
    aliases: tuple[str, ...] = ()
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    ttl_seconds: int | None = None
    ttl_inherited: bool = True
    run: RunRef | None = None
    step: int | None = None
    used: bool = False
    incremental: bool = False
    base_index: int | None = None
    unsynced: frozenset[str] = frozenset()
    id: str | None = None

    def __post_init__(self) -> None:
        for alias in self.aliases:
            check_alias(alias)


def version_document(key: CollectionKey, index: int) -> str:
    """Return the name of a version's document; names sort as the versions do."""
    return f"{key.document}/{index:010d}"


def place_of_document(name: str) -> tuple[CollectionKey, int]:
    """Return which version the document ``name`` is."""
    return CollectionKey.of_document(name), int(name.rpartition("/")[2])


def version_index(alias: str) -> int | None:
    """Return the index that ``alias`` names by itself; None if it is a word.

    >>> version_index("v12"), version_index("best")
    (12, None)
    """
    found = _INDEX.fullmatch(alias)
    return int(found[1]) if found else None


def check_alias(alias: str) -> None:
    """Refuse what cannot be an alias.

    Raises:
        SchemaValidationError: It is empty, holds a ``/`` or a ``:``, or is the name of a version.
    """
    if not alias or "/" in alias or ":" in alias or version_index(alias) is not None:
        raise SchemaValidationError(
            f"The alias {alias!r} is not valid: it must not be empty, hold '/' or ':', or look "
            "like the name of a version, such as 'v3'."
        )
