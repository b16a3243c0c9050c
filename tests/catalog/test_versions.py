"""Versions: their numbers, aliases and content, on every kind of store."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from quark.catalog import lineage
from quark.catalog.commit import commit, link
from quark.catalog.editing import change_aliases, change_collection, change_version
from quark.catalog.manifest import Manifest, ManifestEntry
from quark.catalog.model import CollectionKey, Draft, RunRef, Version
from quark.catalog.reading import (
    find_by_id,
    find_collection,
    get_collection,
    get_version,
    links_of,
    list_collections,
    list_versions,
    read_manifest,
)
from quark.catalog.removal import delete_version
from quark.errors import ArtifactNotFoundError, DamagedFileError, SchemaValidationError
from quark.storage.memory import MemoryStore
from quark.storage.protocols import Store
from tests.catalog.building import KEY, RUN, log, manifest

_TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=20)


def test_new_content_is_a_new_version_and_the_same_content_is_not(store: Store) -> None:
    first = log(store, {"a": "1"}, aliases=("best", "epoch 1"))
    again = log(store, {"a": "1"}, aliases=("epoch 2",), tags=("checked",))
    second = log(store, {"a": "2"}, aliases=("best",))
    back = log(store, {"a": "1"})

    assert [version.index for version in (first, again, second, back)] == [0, 0, 1, 2]
    assert again.id == first.id != second.id
    assert again.tags == ("checked",)
    assert get_collection(store, KEY).aliases == {
        "epoch 1": 0,
        "epoch 2": 0,
        "best": 1,
        "latest": 2,
    }
    assert [version.aliases for version in list_versions(store, KEY)] == [
        ("epoch 1", "epoch 2"),
        ("best",),
        ("latest",),
    ]
    assert get_version(store, KEY) == back
    assert get_version(store, KEY, "v1") == get_version(store, KEY, "best")
    assert find_by_id(store, second.id) == get_version(store, KEY, "v1")
    assert read_manifest(store, second).entries == manifest(store, a="2").entries
    with pytest.raises(ArtifactNotFoundError, match="no version 'worst'; its aliases are: epoch 1"):
        get_version(store, KEY, "worst")
    with pytest.raises(ArtifactNotFoundError, match="no artifact 'letters'"):
        get_version(store, KEY._replace(name="letters"))


def test_names_that_hold_slashes_and_percent_signs_stay_apart(store: Store) -> None:
    keys = [
        CollectionKey("a", "b", "c"),
        CollectionKey("a/b", "c", "d"),
        CollectionKey("a", "b/c", "d"),
        CollectionKey("a", "b", "c%2Fd"),
        CollectionKey("a", "b", "ü x"),
        CollectionKey("", "b", "c"),
    ]

    versions = [log(store, {"a": str(key)}, key=key) for key in keys]

    assert [version.key for version in versions] == keys
    assert [version.index for version in versions] == [0] * 6
    assert [found.key for found in list_collections(store, "a", "b")] == [
        *(keys[0], keys[3], keys[4])
    ]


def test_the_type_of_a_collection_and_the_words_for_versions_are_fixed(store: Store) -> None:
    log(store, {"a": "1"})

    with pytest.raises(SchemaValidationError, match="exists with type 'dataset'"):
        log(store, {"a": "2"}, type="model")
    for alias in ("v7", "", "a/b", "a:b"):
        with pytest.raises(SchemaValidationError, match="alias"):
            Draft(key=KEY, type="dataset", manifest=Manifest(), aliases=(alias,))
    with pytest.raises(SchemaValidationError, match="can be logged and not linked"):
        link(store, get_version(store, KEY), KEY)

    assert len(list_versions(store, KEY)) == 1


def test_a_version_whose_payloads_are_missing_is_not_made(store: Store) -> None:
    gone = ManifestEntry(path="a", digest="x", size_bytes=1, sha256="0" * 64)

    with pytest.raises(DamagedFileError, match="Add its files again"):
        commit(store, Draft(key=KEY, type="dataset", manifest=Manifest({"a": gone})))

    assert find_collection(store, KEY) is None


def test_what_may_be_changed_of_a_version_is_changed_and_nothing_else(store: Store) -> None:
    first, second = log(store, {"a": "1"}, aliases=("best",)), log(store, {"a": "2"})

    change_version(store, first, {"metadata": {"n": 1}, "tags": ["t"], "ttl_seconds": 60})
    change_aliases(store, second, added=("best", "prod"), removed=("latest", "never there"))
    change_aliases(store, first, removed=("best",))
    collection = change_collection(
        store, get_collection(store, KEY), {"description": "d", "type": "images", "tags": ["x"]}
    )

    found = get_version(store, KEY, "v0")
    assert (found.metadata, found.tags, found.ttl_seconds) == ({"n": 1}, ("t",), 60)
    assert (found.digest, found.created_at) == (first.digest, first.created_at)
    assert get_collection(store, KEY).aliases == {"best": 1, "prod": 1}
    assert (collection.description, collection.tags) == ("d", ("x",))
    assert {version.type for version in list_versions(store, KEY)} == {"images"}
    with pytest.raises(SchemaValidationError, match="'digest'"):
        change_version(store, first, {"digest": "x"})
    with pytest.raises(SchemaValidationError, match="alias 'v3'"):
        change_aliases(store, first, added=("v3",))


def test_an_incremental_version_keeps_what_it_does_not_name(store: Store) -> None:
    first = log(store, {"a": "1", "b": "1"}, incremental=True)
    second = log(store, {"b": "2", "c": "2"}, incremental=True)
    third = log(store, {"d": "3"}, incremental=True, base_index=0)

    def names(*contents: str) -> dict[str, ManifestEntry]:
        return manifest(store, **dict(content.split("=") for content in contents)).entries

    assert read_manifest(store, first).entries == names("a=1", "b=1")
    assert read_manifest(store, second).entries == names("a=1", "b=2", "c=2")
    assert read_manifest(store, third).entries == names("a=1", "b=1", "d=3")


def test_processes_that_share_an_id_build_one_version_together(store: Store) -> None:
    def part(finished: bool, **contents: str) -> int | None:
        draft = Draft(key=KEY, type="dataset", manifest=manifest(store, **contents), run=RUN)
        version = commit(store, draft, distributed_id="job", finished=finished)
        return None if version is None else version.index

    assert part(False, a="1") is None
    assert part(False, b="1") is None
    assert find_collection(store, KEY) is None
    assert part(True, c="1") == 0
    assert part(True, d="1") == 1

    assert sorted(read_manifest(store, get_version(store, KEY, "v0")).entries) == ["a", "b", "c"]
    assert sorted(read_manifest(store, get_version(store, KEY, "v1")).entries) == ["d"]


def test_links_have_numbers_and_aliases_of_their_own(store: Store) -> None:
    registry = CollectionKey("local", "model-registry", "Digits")
    versions = [log(store, {"a": str(n)}, aliases=("best",)) for n in range(3)]

    first = link(store, versions[2], registry, ["staging"])
    second = link(store, versions[0], registry)
    again = link(store, versions[2], registry, ["prod"])
    through = link(store, again, registry._replace(name="Other"))

    assert [(v.index, v.source_index, v.is_link) for v in (first, second, again, through)] == [
        (0, 2, True),
        (1, 0, True),
        (0, 2, True),
        (0, 2, True),
    ]
    assert get_collection(store, registry).aliases == {"staging": 0, "prod": 0, "latest": 0}
    assert (again.key, again.source, again.id) == (registry, KEY, versions[2].id)
    assert again.aliases == ("staging", "prod", "latest")
    assert get_version(store, KEY, "best").aliases == ("best", "latest")
    assert [found.key.name for found in links_of(store, versions[2])] == ["Digits", "Other"]
    assert links_of(store, versions[1]) == ()
    with pytest.raises(SchemaValidationError, match="can be linked to and not logged to"):
        log(store, {"a": "x"}, key=registry)


def test_lineage_is_found_from_both_ends_in_its_order(store: Store) -> None:
    other = RunRef("run/2", "vision", "local")
    b, a = log(store, {"b": "1"}, key=KEY._replace(name="b")), log(store, {"a": "1"})
    lineage.record_use(store, a, other, lineage.INPUT)
    lineage.record_use(store, b, other, lineage.INPUT)
    used = log(store, {"c": "1"}, key=KEY._replace(name="c"), run=other, used=True)

    assert lineage.versions_of(store, RUN, lineage.OUTPUT) == (b, a)
    assert lineage.versions_of(store, RUN, lineage.INPUT) == ()
    assert lineage.versions_of(store, other, lineage.INPUT) == (a, b, used)
    assert lineage.runs_of(store, a, lineage.OUTPUT) == (RUN,)
    assert lineage.runs_of(store, a, lineage.INPUT) == (other,)
    assert a.logged_by == RUN


@settings(max_examples=40)
@given(contents=st.dictionaries(_TEXT, _TEXT, max_size=6))
def test_a_manifest_comes_back_and_its_digest_is_of_sorted_lines(contents: dict[str, str]) -> None:
    entries = {
        path: ManifestEntry(path=path, digest=digest, ref=f"s3://b/{path}", extra={"etag": digest})
        for path, digest in contents.items()
    }
    found = Manifest.from_json(Manifest(entries).to_json())

    lines = "".join(sorted(f"{path}:{digest}\n" for path, digest in contents.items()))
    by_path = "".join(f"{path}:{contents[path]}\n" for path in sorted(contents))
    assert found.entries == entries
    assert (
        found.digest == hashlib.md5(f"wandb-artifact-manifest-v1\n{by_path}".encode()).hexdigest()
    )
    assert len(lines) == len(by_path)
    with pytest.raises(DamagedFileError):
        Manifest.from_json(b'{"version": 2, "contents": {}}')


def test_a_manifest_that_is_gone_is_said_to_be() -> None:
    store = MemoryStore()
    version = log(store, {"a": "1"})
    store.blobs.delete(version.manifest_sha256)

    with pytest.raises(DamagedFileError, match="not in the store any more"):
        read_manifest(store, version)


def test_what_has_an_id_is_done_once_however_often_it_is_tried(store: Store) -> None:
    drafts = [
        Draft(key=KEY, manifest=manifest(store, a=text), run=RUN, type="dataset", id=f"id{text}")
        for text in "121"  # the third is another draft with the content of the first
    ]
    drafts[2] = replace(drafts[2], id="id3", aliases=("third",))
    first = commit(store, drafts[0])
    commit(store, drafts[1])
    assert commit(store, drafts[0]) == replace_aliases(first), "it does not become the latest again"
    third = commit(store, drafts[2])
    assert third is not None
    assert [version.index for version in list_versions(store, KEY)] == [0, 1, 2]
    change_aliases(store, third, (), ("third",))
    for draft in drafts * 2:
        commit(store, draft)
    assert [version.index for version in list_versions(store, KEY)] == [0, 1, 2]
    assert get_collection(store, KEY).aliases == {"latest": 2}, "aliases are not given again"

    portfolio = KEY._replace(name="found")
    links = [link(store, third, portfolio, ("best",), id="link1") for _ in range(2)]
    assert links[0] == links[1]
    change_aliases(store, links[0], (), ("best",))
    link(store, third, portfolio, ("best",), id="link1")
    assert get_collection(store, portfolio).aliases == {"latest": 0}

    delete_version(store, get_version(store, KEY, "v1"), with_aliases=True)
    assert commit(store, drafts[1]) is None, "a version that was deleted stays so"


def test_a_part_with_an_id_is_put_aside_once_also_after_the_version_was_finished(
    store: Store,
) -> None:
    def part(text: str, *, finished: bool) -> Version | None:
        files = manifest(store, **{text: text})
        draft = Draft(key=KEY, manifest=files, run=RUN, type="dataset", id=f"part-{text}")
        return commit(store, draft, distributed_id="group", finished=finished)

    assert part("a", finished=False) is None
    assert part("a", finished=False) is None
    whole = part("b", finished=True)
    assert whole is not None
    assert set(read_manifest(store, whole).entries) == {"a", "b"}
    assert part("a", finished=False) is None  # its answer had been lost
    following = part("c", finished=True)
    assert following is not None
    assert set(read_manifest(store, following).entries) == {"c"}


def replace_aliases(version: Version | None) -> Version:
    """Return a version as it is once another one is the latest."""
    assert version is not None
    return replace(version, aliases=())
