"""Deleting: what goes at once, what stays as long as anybody needs it, what outlives its time."""

from __future__ import annotations

import pytest

from quark.catalog import lineage
from quark.catalog.commit import commit, link
from quark.catalog.model import CollectionKey, Draft, Version
from quark.catalog.reading import (
    find_by_id,
    find_collection,
    get_collection,
    get_version,
    links_of,
    list_versions,
    read_manifest,
)
from quark.catalog.removal import collect, delete_collection, delete_version, expired
from quark.clock import SYSTEM_CLOCK
from quark.errors import ArtifactNotFoundError, SchemaValidationError
from quark.storage.protocols import Store
from tests.catalog.building import KEY, RUN, log, manifest
from tests.storage.building import batch, create_run, record
from tests.support.clock import FakeClock

REGISTRY = CollectionKey("local", "model-registry", "Digits")


def test_a_version_with_aliases_is_deleted_only_with_them(store: Store) -> None:
    first = log(store, {"a": "1"})
    second = log(store, {"a": "2"}, aliases=("best",))
    linked = link(store, second, REGISTRY)

    with pytest.raises(SchemaValidationError, match="has the aliases 'best', 'latest'"):
        delete_version(store, second)
    delete_version(store, second, with_aliases=True)

    assert find_by_id(store, second.id) is None
    assert get_collection(store, KEY).aliases == {"latest": 0}
    assert list_versions(store, REGISTRY) == ()
    assert lineage.versions_of(store, RUN, lineage.OUTPUT) == (get_version(store, KEY, "v0"),)
    with pytest.raises(ArtifactNotFoundError):
        link(store, linked, REGISTRY)
    with pytest.raises(ArtifactNotFoundError, match="deleted already"):
        delete_version(store, second, with_aliases=True)
    assert log(store, {"a": "2"}).index == 2, "numbers are not used again"
    delete_version(store, get_version(store, KEY, "v0"))
    assert [version.index for version in list_versions(store, KEY)] == [2]
    assert first.index == 0


def test_deleting_a_link_or_a_portfolio_leaves_the_version(store: Store) -> None:
    version = log(store, {"a": "1"})
    other = REGISTRY._replace(name="Other")
    delete_version(store, link(store, version, REGISTRY))
    link(store, version, other)

    delete_collection(store, other)

    assert links_of(store, version) == ()
    assert find_collection(store, other) is None
    assert get_version(store, KEY) == version
    delete_collection(store, KEY)
    with pytest.raises(ArtifactNotFoundError):
        delete_collection(store, KEY)
    assert find_collection(store, KEY) is None


def test_a_version_that_is_logged_while_its_collection_is_deleted_leaves_nothing_half(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(store, {"a": "1"})

    def logged_meanwhile(store: Store, key: CollectionKey) -> tuple[Version, ...]:
        versions = list_versions(store, key)
        monkeypatch.setattr("quark.catalog.removal.list_versions", list_versions)
        log(store, {"a": "2"})
        return versions

    monkeypatch.setattr("quark.catalog.removal.list_versions", logged_meanwhile)
    delete_collection(store, KEY)

    assert find_collection(store, KEY) is None
    assert store.documents.list("artifact_version") == ()
    for index in range(3):
        assert log(store, {"a": f"new {index}"}).index == index


def test_payloads_go_when_nothing_needs_them_and_not_before(store: Store) -> None:
    clock = FakeClock(SYSTEM_CLOCK.time_us())  # by which a store says when a payload was put
    doomed = log(store, {"a": "only here", "b": "shared", "c": "a run's", "d": "a part's"})
    kept = log(store, {"b": "shared"}, key=KEY._replace(name="other"))
    commit(
        store,
        Draft(key=REGISTRY, type="x", manifest=manifest(store, d="a part's")),
        distributed_id="job",
        finished=False,
    )
    entries = read_manifest(store, doomed).entries
    create_run(store)
    named = {"nested": [{"sha256": entries["c"].sha256}]}
    store.append(batch(1, 1, record(1, payload=named)))
    delete_version(store, doomed, with_aliases=True, clock=clock)

    assert collect(store, clock=clock) == (0, 0, 0), "within the day of grace"
    clock.advance(25 * 3600)
    removed = collect(store, clock=clock)

    gone = {name for name, entry in entries.items() if not store.blobs.exists(entry.sha256 or "")}
    assert gone == {"a"}
    assert removed.payload_count == 2, "the file and the manifest"
    assert removed.payload_bytes > len("only here")
    assert not store.blobs.exists(doomed.manifest_sha256)
    assert read_manifest(store, kept).entries.keys() == {"b"}
    assert collect(store, clock=clock) == (0, 0, 0)


def test_versions_that_outlive_their_time_are_told_and_then_deleted(store: Store) -> None:
    clock = FakeClock()
    log(store, {"a": "1"}, ttl_seconds=60, ttl_inherited=False, clock=clock)
    log(store, {"a": "2"}, ttl_seconds=600, ttl_inherited=False, clock=clock)
    log(store, {"a": "3"}, clock=clock)
    clock.advance(60)

    assert [version.index for version in expired(store, clock)] == [0]
    assert len(list_versions(store, KEY)) == 3, "telling deletes nothing"
    assert collect(store, clock=clock).version_count == 1
    assert [version.index for version in list_versions(store, KEY)] == [1, 2]
