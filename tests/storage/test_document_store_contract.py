"""What every store promises about documents."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from quark.errors import DocumentConflictError, SchemaValidationError, SessionStoreError
from quark.storage.documents import MAX_BODY_BYTES, NEW, DocumentChange, update
from quark.storage.embedded import EmbeddedStore
from quark.storage.protocols import Store


def put(store: Store, name: str, body: dict[str, Any], expected: int | None = None) -> int:
    (document,) = store.documents.apply([DocumentChange("sweep", name, body, expected)])
    assert document is not None
    return document.revision


def count_up(store: Store, times: int) -> None:
    for _ in range(times):
        update(store.documents, "counter", "a", lambda body: {"n": (body or {"n": 0})["n"] + 1})


def test_a_document_comes_back_and_every_change_has_a_higher_revision(store: Store) -> None:
    assert store.documents.get("sweep", "a") is None
    body = {"lr": {"values": [0.1, None, "x"]}, "naïve": True}

    first = put(store, "a", body, NEW)
    second = put(store, "b", {})
    third = put(store, "a", {"again": 1}, first)

    assert first < second < third
    found = store.documents.get("sweep", "a")
    assert found is not None
    assert (found.kind, found.name, found.revision, found.body) == (
        "sweep",
        "a",
        third,
        {"again": 1},
    )
    assert store.documents.get("other", "a") is None


def test_documents_are_listed_by_name_below_a_prefix_and_after_a_revision(store: Store) -> None:
    names = ["p/c/2", "p/c/1", "p/d/1", "p%/c", "é/1", "p/c", "P/c/1"]
    revisions = {name: put(store, name, {"name": name}) for name in names}

    def listed(prefix: str = "", after: int = 0) -> list[str]:
        return [found.name for found in store.documents.list("sweep", prefix, after=after)]

    assert listed() == sorted(names)
    assert listed("p/c/") == ["p/c/1", "p/c/2"]
    assert listed("p%") == ["p%/c"]
    assert listed("é") == ["é/1"]
    assert listed("p/", after=revisions["p/c/1"]) == ["p/c", "p/d/1"]
    assert store.documents.list("other") == ()


def test_a_change_that_expects_another_revision_changes_nothing(store: Store) -> None:
    first = put(store, "a", {"n": 1})
    put(store, "a", {"n": 2})

    for expected in (NEW, first, 10_000):
        changes = [
            DocumentChange("sweep", "b", {"n": 1}),
            DocumentChange("sweep", "a", {"n": 3}, expected),
        ]
        with pytest.raises(DocumentConflictError, match=r"sweep 'a' is at revision"):
            store.documents.apply(changes)
    with pytest.raises(DocumentConflictError, match="'missing' is at revision 0"):
        store.documents.apply([DocumentChange("sweep", "missing", {}, first)])

    assert [found.body for found in store.documents.list("sweep")] == [{"n": 2}]


def test_a_document_that_was_removed_is_gone_and_its_revisions_are_not_used_again(
    store: Store,
) -> None:
    first = put(store, "a", {"n": 1})

    assert store.documents.apply([DocumentChange("sweep", "a", None, first)]) == (None,)
    assert store.documents.apply([DocumentChange("sweep", "a", None)]) == (None,)

    assert store.documents.get("sweep", "a") is None
    assert put(store, "a", {"n": 2}, NEW) > first


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(DocumentChange("Sweep", "a", {}), id="kind"),
        pytest.param(DocumentChange("sweep", "", {}), id="no-name"),
        pytest.param(DocumentChange("sweep", "a" * 1025, {}), id="long-name"),
        pytest.param(DocumentChange("sweep", "a\0b", {}), id="zero-byte"),
        pytest.param(DocumentChange("sweep", "a", {"x": object()}), id="no-json"),
        pytest.param(DocumentChange("sweep", "a", {"x": "y" * MAX_BODY_BYTES}), id="too-large"),
    ],
)
def test_a_change_that_breaks_a_rule_is_refused(store: Store, change: DocumentChange) -> None:
    with pytest.raises(SchemaValidationError):
        store.documents.apply([DocumentChange("sweep", "first", {}), change])

    assert store.documents.list("sweep") == ()


def test_changes_of_many_threads_are_all_there(store: Store) -> None:
    threads = [threading.Thread(target=count_up, args=(store, 20)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = store.documents.get("counter", "a")
    assert found is not None
    assert found.body == {"n": 80}
    assert update(store.documents, "counter", "a", lambda body: None) is None
    assert update(store.documents, "counter", "a", lambda body: None) is None


def test_changes_of_many_processes_are_all_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.storage.children", "count_up", str(tmp_path), "25"]
    children = [subprocess.Popen(command) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]

    store = EmbeddedStore(tmp_path)
    found = store.documents.get("counter", "a")
    assert found is not None
    assert found.body == {"n": 100}
    store.close()


def test_a_closed_store_has_no_documents(store: Store) -> None:
    put(store, "a", {})
    store.close()

    with pytest.raises(SessionStoreError, match="closed"):
        store.documents.get("sweep", "a")
    with pytest.raises(SessionStoreError, match="closed"):
        store.documents.apply([DocumentChange("sweep", "a", {})])
