"""Artifacts as pages show them, compared with what the catalog and a loop say."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from quark.catalog.commit import commit
from quark.catalog.lineage import INPUT, OUTPUT, record_use
from quark.catalog.manifest import Manifest, ManifestEntry
from quark.catalog.model import CollectionKey, Draft, RunRef, Version
from quark.dashboard.app import dashboard_app
from quark.dashboard.headers import SANDBOX_POLICY
from quark.errors import ArtifactNotFoundError, SchemaValidationError
from quark.storage.embedded import EmbeddedStore
from quark.storage.embedded_documents import EmbeddedDocuments
from quark.storage.embedded_records import EmbeddedRecords
from tests.catalog.building import entry, log
from tests.dashboard.asking import ask, place_of
from tests.storage.building import create_run

RAW = CollectionKey("local", "vision", "raw")
MODEL = CollectionKey("local", "vision", "model")
HERE = {"project": "vision", "workspace": "local"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / ".quark")
    yield store
    store.close()


def run(store: EmbeddedStore, run_id: str) -> RunRef:
    create_run(store, run_id, project_name="vision", name=f"<b>{run_id}</b>")
    return RunRef(run_id, "vision", "local")


def used(store: EmbeddedStore, version: Version, by: RunRef) -> None:
    record_use(store, version, by, INPUT)


def test_collections_come_with_what_their_versions_are(store: EmbeddedStore) -> None:
    maker = run(store, "make")
    log(store, {"a": "1"}, key=RAW, run=maker, aliases=("gold",))
    log(store, {"a": "1", "b": "22"}, key=RAW, run=maker)
    log(store, {"w": "xyz"}, key=MODEL, run=maker, type="model")
    log(store, {"w": "xyz"}, key=CollectionKey("local", "speech", "model"), type="model")

    found = ask(store, "/artifacts")

    rows = {(row["project"], row["name"]): row for row in found["collections"]}
    raw = rows["vision", "raw"]
    assert (raw["version_count"], raw["total_bytes"], raw["latest_bytes"]) == (2, 4, 3)
    assert raw["aliases"] == {"v0": ["gold"], "v1": ["latest"]}
    assert found["types"] == {"dataset": 1, "model": 2}
    assert found["projects"] == ["speech", "vision"]
    only = ask(store, "/artifacts", project="vision", type="model")
    assert [row["name"] for row in only["collections"]] == ["model"]
    listed = ask(store, "/artifacts/collection", name="raw")
    assert [one["version"] for one in listed["versions"]] == ["v1", "v0"]
    with pytest.raises(SchemaValidationError, match="several artifacts 'model'"):
        ask(store, "/artifacts/collection", name="model")
    assert ask(store, "/artifacts/collection", name="model", **HERE)["version_count"] == 1
    for gone in ({"name": "none"}, {"name": "raw", "project": "speech", "workspace": "local"}):
        with pytest.raises(ArtifactNotFoundError):
            ask(store, "/artifacts/collection", **gone)


def test_a_version_says_who_made_and_who_used_it(store: EmbeddedStore) -> None:
    maker, user = run(store, "make"), run(store, "use")
    metadata = {"rows": 3, "nested": {"loss": float("nan")}}
    version = log(store, {"a": "1"}, key=RAW, run=maker, metadata=metadata, description="<i>")
    used(store, version, user)
    used(store, version, RunRef("deleted", "vision", "local"))

    found = ask(store, "/artifacts/version", name="raw", version="latest", **HERE)

    assert found["metadata"] == {"rows": 3, "nested": {"loss": "NaN"}}
    assert found["description"] == "<i>"
    assert [(one["id"], one["name"]) for one in found["logged_by"]] == [("make", "<b>make</b>")]
    assert [(one["id"], one["status"]) for one in found["used_by"]] == [
        ("use", "running"),
        ("deleted", None),
    ]
    of_maker = ask(store, "/runs/{run_id}/artifacts", {"run_id": "make"})
    of_user = ask(store, "/runs/{run_id}/artifacts", {"run_id": "use"})
    assert [one["version"] for one in of_maker["logged"]] == ["v0"]
    assert [one["name"] for one in of_user["used"]] == ["raw"]
    assert of_user["logged"] == of_user["payloads"] == []
    with pytest.raises(ArtifactNotFoundError, match="no version 'v9'"):
        ask(store, "/artifacts/version", name="raw", version="v9", **HERE)


def test_a_long_line_of_versions_is_drawn_with_few_questions(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: Version | None = None
    for number in range(40):
        by = run(store, f"run-{number}")
        if before is not None:
            used(store, before, by)
        key = CollectionKey("local", "vision", f"step-{number}")
        before = log(store, {"a": str(number)}, key=key, run=by)
    asked: list[str] = []
    for owner, name in ((EmbeddedDocuments, "get"), (EmbeddedDocuments, "list")):
        _note(monkeypatch, asked, owner, name)
    _note(monkeypatch, asked, EmbeddedRecords, "get_run")

    drawn = ask(store, "/artifacts/lineage", name="step-20", **HERE)

    assert len(drawn["nodes"]) == 80
    assert len(drawn["edges"]) == 79
    assert {one["title"] for one in drawn["nodes"] if one["kind"] == "run"} == {
        f"<b>run-{number}</b>" for number in range(40)
    }
    assert len(asked) < 110, "not some for each of its 80 nodes"
    assert "get_run" not in asked


def _note(monkeypatch: pytest.MonkeyPatch, asked: list[str], owner: type[Any], name: str) -> None:
    inner = getattr(owner, name)

    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(name)
        return inner(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, noting)


def _files(store: EmbeddedStore, key: CollectionKey, contents: dict[str, str]) -> Version:
    entries = {path: entry(store, path, text.encode()) for path, text in contents.items()}
    entries["far.bin"] = ManifestEntry(path="far.bin", digest="etag", ref="s3://bucket/far.bin")
    draft = Draft(key=key, manifest=Manifest(entries), type="dataset")
    version = commit(store, draft)
    assert version is not None
    return version


def test_folders_are_summed_as_a_loop_sums_them(store: EmbeddedStore) -> None:
    chance = random.Random(3)
    contents = {
        "/".join(chance.choice("ab") for _ in range(chance.randint(1, 4))) + f"/f{n}.txt": "x" * n
        for n in range(60)
    }
    _files(store, RAW, contents)

    def look(folder: str) -> None:
        found = ask(store, "/artifacts/files", name="raw", folder=folder, **HERE)
        inside = [path for path in contents if path.startswith(f"{folder}/" if folder else "")]
        for row in found["rows"]:
            if row["kind"] == "folder":
                below = [path for path in inside if path.startswith(row["path"] + "/")]
                assert row["file_count"] == len(below)
                assert row["size"] == sum(len(contents[path]) for path in below)
                look(row["path"])
            elif row["path"] != "far.bin":
                assert row["size"] == len(contents[row["path"]])
                seen.add(row["path"])

    seen: set[str] = set()
    look("")
    assert seen == set(contents)
    searched = ask(store, "/artifacts/files", name="raw", search="F1", **HERE)
    assert {row["path"] for row in searched["rows"]} == {path for path in contents if "f1" in path}


def test_changes_name_what_is_new_gone_and_other(store: EmbeddedStore) -> None:
    _files(store, RAW, {"same": "1", "other": "2", "gone": "3"})
    _files(store, RAW, {"same": "1", "other": "22", "new": "4"})

    found = ask(store, "/artifacts/changes", name="raw", version="v1", against="v0", **HERE)

    assert [row["path"] for row in found["added"]] == ["new"]
    assert [row["path"] for row in found["removed"]] == ["gone"]
    assert found["changed"] == [{"path": "other", "size": 2, "before": 1}]
    assert found["counts"] == {"added": 1, "removed": 1, "changed": 1}
    assert found["same"] == 2


def fetch(store: EmbeddedStore, view: str, **query: str) -> httpx.Response:
    class Anybody:
        async def place(self, request: Any) -> Any:
            return place_of(store)

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(dashboard_app(Anybody()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(f"/ui/api{view}", params={"name": "raw", **HERE, **query})

    return asyncio.run(asked())


def test_files_are_looked_into_and_saved_and_nothing_else_is(store: EmbeddedStore) -> None:
    page = "<script>parent.x = 1</script>"
    _files(store, RAW, {"a/page.html": page, "a/b.json": '{"x":[1,2]}', "raw.bin": "\0\1"})

    def preview(path: str) -> dict[str, Any]:
        return ask(store, "/artifacts/preview", name="raw", path=path, **HERE)

    assert preview("a/page.html")["text"] == page
    assert preview("a/b.json")["text"] == '{\n  "x": [\n    1,\n    2\n  ]\n}'
    assert preview("raw.bin")["text"] is None
    assert preview("far.bin")["reference"] == "s3://bucket/far.bin"
    saved = fetch(store, "/artifacts/file", path="a/page.html")
    assert (saved.text, saved.headers["content-type"]) == (page, "application/octet-stream")
    assert saved.headers["content-disposition"] == "attachment; filename*=UTF-8''page.html"
    shown = fetch(store, "/artifacts/file", path="a/page.html", **{"as": "page"})
    assert shown.headers["content-security-policy"] == SANDBOX_POLICY
    for path in ("../raw.bin", "/etc/passwd", "a", "", "a/../raw.bin"):
        assert fetch(store, "/artifacts/file", path=path).status_code == 404
    assert "no copy" in fetch(store, "/artifacts/file", path="far.bin").json()["error"]["message"]


def test_a_preview_of_a_long_text_is_cut_between_characters(store: EmbeddedStore) -> None:
    _files(store, RAW, {"long.txt": "ä" * 50_000, "odd.txt": "x" + "ä" * 50_000})

    for path in ("long.txt", "odd.txt"):
        found = ask(store, "/artifacts/preview", name="raw", path=path, **HERE)
        assert found["is_cut"]
        assert found["text"].strip("x") == "ä" * (32_768 - (path == "odd.txt"))


# -- lineage -------------------------------------------------------------------------------------


def test_lineage_is_all_that_is_before_and_all_that_is_behind(store: EmbeddedStore) -> None:
    """prepare -> raw:v0 -> train0, train1 -> model:v0, v1 -> evaluate (which used raw:v0 too)."""
    raw = log(store, {"a": "1"}, key=RAW, run=run(store, "prepare"))
    models = []
    for number in range(2):
        trainer = run(store, f"train{number}")
        used(store, raw, trainer)
        models.append(log(store, {"w": str(number)}, key=MODEL, run=trainer, type="model"))
    judge = run(store, "evaluate")
    used(store, models[1], judge)
    used(store, raw, judge)

    whole = ask(store, "/artifacts/lineage", name="raw", version="v0", **HERE)
    part = ask(store, "/artifacts/lineage", name="model", version="v0", **HERE)
    of_run = ask(store, "/artifacts/lineage", run="evaluate")

    titles = {node["id"]: node["title"] for node in whole["nodes"]}
    assert set(titles.values()) == {
        "raw:v0",
        "model:v0",
        "model:v1",
        *(f"<b>{name}</b>" for name in ("prepare", "train0", "train1", "evaluate")),
    }
    edges = {(titles[a], titles[b]) for a, b in whole["edges"]}
    assert ("raw:v0", "<b>evaluate</b>") in edges
    assert len(edges) == 7
    _drawn_well(whole)
    assert {node["title"] for node in part["nodes"]} == {
        "<b>prepare</b>",
        "raw:v0",
        "<b>train0</b>",
        "model:v0",
    }
    assert of_run["here"] == "run:local/vision/evaluate"
    assert "model:v0" not in {node["title"] for node in of_run["nodes"]}
    _drawn_well(of_run)


def test_a_run_that_uses_what_it_logged_makes_no_circle(store: EmbeddedStore) -> None:
    maker = run(store, "make")
    versions = [log(store, {"a": str(number)}, key=RAW, run=maker) for number in range(4)]
    for version in versions:
        used(store, version, maker)
        record_use(store, version, maker, OUTPUT)

    found = ask(store, "/artifacts/lineage", name="raw", version="v2", **HERE)

    assert len(found["nodes"]) == 5
    assert len(found["edges"]) == 4
    _drawn_well(found)


def test_a_large_lineage_is_cut_and_says_so(store: EmbeddedStore) -> None:
    raw = log(store, {"a": "1"}, key=RAW, run=run(store, "prepare"))
    for number in range(170):
        used(store, raw, RunRef(f"user{number}", "vision", "local"))

    found = ask(store, "/artifacts/lineage", name="raw", **HERE)

    assert found["is_cut"]
    assert len(found["nodes"]) == 160
    assert not next(node for node in found["nodes"] if node["title"] == "user0")["is_there"]
    _drawn_well(found)


def _drawn_well(found: dict[str, Any]) -> None:
    """Edges lead to the right, and no two nodes lie over each other."""
    layers = {node["id"]: node["layer"] for node in found["nodes"]}
    assert all(layers[a] < layers[b] for a, b in found["edges"])
    assert min(layers.values()) >= 0
    by_layer: dict[int, list[float]] = {}
    for node in found["nodes"]:
        by_layer.setdefault(node["layer"], []).append(node["row"])
    for rows in by_layer.values():
        assert all(below - above >= 1 for above, below in pairwise(sorted(rows)))
