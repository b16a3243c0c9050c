"""Copying versions of artifacts, with the runs that logged or used them, into another store.

The other store numbers versions itself, in the order in which they were made. What was copied once
is known by the version's id, so copying again adds what is new.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quark.catalog import lineage
from quark.catalog.commit import commit, link
from quark.catalog.editing import change_aliases, change_collection
from quark.catalog.model import LATEST, CollectionKey, Draft, RunRef, Version
from quark.catalog.reading import find_collection, links_of, read_manifest
from quark.clock import SYSTEM_CLOCK, parse_timestamp
from quark.storage.many_payloads import copy_payloads

if TYPE_CHECKING:
    from quark.storage.protocols import Store


def copy_artifacts(source: Store, target: Store, run_ids: Iterable[str]) -> int:
    """Have the versions that some runs logged or used, and the links to them, in ``target`` too.

    Return how many versions there are now. The runs have to be there.

    Raises:
        SessionStoreError: A store does not answer.
        DamagedFileError: A payload is not in ``source`` any more.
    """
    copying = _Copying(source, getattr(target, "service", target), named_workspace(target))
    versions: dict[str, Version] = {}
    users: dict[str, list[RunRef]] = {}
    for run_id in run_ids:
        run = source.records.get_run(run_id)
        ref = RunRef(run.id, run.project_name, run.workspace)
        for version in lineage.versions_of(source, ref, lineage.OUTPUT):
            versions[version.document] = version
        for version in lineage.versions_of(source, ref, lineage.INPUT):
            versions[version.document] = version
            users.setdefault(version.document, []).append(ref)
    in_order = sorted(versions.values(), key=lambda found: (found.created_at, found.document))
    return sum(copying.copy(version, users.get(version.document, ())) for version in in_order)


def named_workspace(store: Store) -> str:
    """Return the workspace that everything in a service's store belongs to; "" of any other."""
    from quark.persistence.http_store import HttpStore

    return store.named_workspace() if isinstance(store, HttpStore) else ""


@dataclass(frozen=True, slots=True)
class _Then:
    """A clock that stands where a version was made."""

    now_us: int

    def time_us(self) -> int:
        return self.now_us

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()


@dataclass(frozen=True, slots=True)
class _Copying:
    source: Store
    target: Store
    workspace: str  # of the target; "" leaves the names as they are

    def copy(self, version: Version, users: Iterable[RunRef]) -> bool:
        """Copy a version, its uses and its links; False if it was deleted there since."""
        then = _Then(parse_timestamp(version.created_at))
        manifest = read_manifest(self.source, version)
        for _ in copy_payloads(self.source.blobs, self.target.blobs, sorted(manifest.payloads)):
            pass
        draft = Draft(
            key=self._key(version.source),
            type=version.type,
            manifest=manifest,
            aliases=_given(version),
            description=version.description,
            metadata=version.metadata,
            tags=version.tags,
            ttl_seconds=version.ttl_seconds,
            ttl_inherited=version.ttl_inherited,
            run=None if version.logged_by is None else self._run(version.logged_by),
            step=version.step,
            id=f"copy/{version.id}",
        )
        found = commit(self.target, draft, clock=then)
        if found is None:
            return False
        self._bring_aliases(version, found)
        for run in users:
            lineage.record_use(self.target, found, self._run(run), lineage.INPUT, clock=then)
        for other in links_of(self.source, version):
            id = f"copy/{version.id}/{other.key.document}"
            linked = link(self.target, found, self._key(other.key), _given(other), id=id)
            self._bring_aliases(other, linked)
        return True

    def _bring_aliases(self, version: Version, copied: Version) -> None:
        """Give the copy those aliases that were given later, unless they lead somewhere there; and
        its collection what is said of the original's, unless something is."""
        there = find_collection(self.target, copied.key)
        here = find_collection(self.source, version.key)
        if there is None or here is None:
            return
        aliases = [alias for alias in _given(version) if alias not in there.aliases]
        if aliases:
            change_aliases(self.target, copied, aliases)
        fields = {"description": here.description, "tags": list(here.tags)}
        said = {"description": there.description, "tags": there.tags}
        news = {name: value for name, value in fields.items() if value and not said[name]}
        if news:
            change_collection(self.target, there, news)

    def _key(self, key: CollectionKey) -> CollectionKey:
        return key._replace(workspace=self.workspace) if self.workspace else key

    def _run(self, run: RunRef) -> RunRef:
        return run._replace(workspace=self.workspace) if self.workspace else run


def _given(version: Version) -> tuple[str, ...]:
    return tuple(alias for alias in version.aliases if alias != LATEST)
