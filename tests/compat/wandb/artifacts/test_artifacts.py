"""Artifacts that runs log and use: versions, aliases, files, lineage."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.artifacts.exceptions import (
    ArtifactFinalizedError,
    ArtifactNotLoggedError,
    WaitTimeoutError,
)
from quark.compat.wandb.errors import CommError
from quark.records import EventRecord


def dataset(**contents: str) -> Any:
    artifact = wandb.Artifact("ds", "dataset", description="d", metadata={"n": len(contents)})
    for name, text in contents.items():
        with artifact.new_file(name) as file:
            file.write(text)
    return artifact


def files_below(folder: str | Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def test_versions_are_logged_in_their_order_and_found_by_names_and_aliases() -> None:
    with wandb.init(project="p", id="first") as run:
        # as yolov5 and spaCy pass them
        logged = [
            run.log_artifact(
                dataset(a=text), aliases=["last", f"epoch {n}", "best" if n == 1 else ""]
            )
            for n, text in enumerate("xyxx")
        ]
        assert [artifact.wait().version for artifact in logged] == ["v0", "v1", "v2", "v2"]
        assert logged[0].aliases == ["last", "epoch 0", "latest"], "as it was when it was stored"
        same = run.log_artifact(dataset(a="x"))
    with wandb.init(project="other", id="second") as run:
        for name in ("p/ds", "local/p/ds:v1", "p/ds:best", "p/ds:epoch 1"):
            run.use_artifact(name)
        latest = run.use_artifact("p/ds:latest", type="dataset")
        with pytest.raises(CommError, match="of type 'dataset', not of type 'model'"):
            run.use_artifact("p/ds:latest", type="model")
        for name in ("ds:latest", "p/ds:v9", "p/ds:worst", "local/q/ds"):
            with pytest.raises((CommError, ValueError)):
                run.use_artifact(name)
        with pytest.raises(ValueError, match="not a int"):
            run.use_artifact(3)  # type: ignore[arg-type]

    assert (latest.version, latest.aliases) == ("v2", ["epoch 2", "last", "epoch 3", "latest"])
    assert (latest.name, latest.qualified_name) == ("ds:v2", "local/p/ds:v2")
    assert (latest.description, latest.metadata, latest.type) == ("d", {"n": 1}, "dataset")
    assert (latest.size, latest.file_count, latest.state) == (1, 1, "COMMITTED")
    assert latest.digest == dataset(a="x").digest
    assert same.wait().version == "v2"
    api = wandb.Api()
    producer, consumer = api.run("p/first"), api.run("other/second")
    assert [a.name for a in producer.logged_artifacts()] == ["ds:v0", "ds:v1", "ds:v2"]
    assert [a.name for a in consumer.used_artifacts()] == ["ds:v2", "ds:v1"]
    assert len(consumer.logged_artifacts()) == 0
    logged_by = latest.logged_by()
    assert logged_by is not None
    assert logged_by.id == "first"
    assert [user.id for user in latest.used_by()] == ["second"]


def test_what_a_run_logged_and_used_is_in_its_own_records() -> None:
    with wandb.init(project="p") as run:
        run.log_artifact(dataset(a="1"))
        used = run.use_artifact("ds:latest")  # what the run itself has just logged
        session: Any = run._session
        with session.reading() as store:
            events = store.records.read(EventRecord, run.id)

    kinds = [event.event_type for event in events if event.event_type.startswith("artifact")]
    assert kinds == ["artifact_logged", "artifact_used"]
    payloads = [e.payload for e in events if e.event_type.startswith("artifact")]
    assert payloads[0] == payloads[1]
    assert payloads[0]["artifact"] == "local/p/ds:v0"
    assert payloads[0]["digest"] == used.digest


def test_a_folder_goes_in_as_it_is_and_comes_out_so() -> None:
    Path("data/deep").mkdir(parents=True)
    contents = {"a.txt": b"1", "deep/b.bin": os.urandom(3_000_000), "deep/empty": b""}
    for name, content in contents.items():
        Path("data", name).write_bytes(content)
    run = wandb.init(project="p")
    artifact = run.log_artifact("data", name="ds", type="dataset")
    for name in contents:
        Path("data", name).write_bytes(b"changed at once")

    folder = artifact.wait().download()

    assert folder == os.path.abspath("artifacts/ds:v0")
    assert files_below(folder) == contents
    artifact.verify()
    Path(folder, "a.txt").write_bytes(b"2")
    Path(folder, "mine").write_bytes(b"x")
    with pytest.raises(ValueError, match="is not in the artifact"):
        artifact.verify()
    assert files_below(artifact.download()) == {**contents, "mine": b"x"}
    assert files_below(artifact.checkout(folder)) == contents
    artifact.verify(folder)
    assert files_below(artifact.download("part", path_prefix="deep/")) == {
        name: content for name, content in contents.items() if name.startswith("deep/")
    }
    entry = artifact.get_entry("deep/b.bin")
    assert Path(entry.download("one")).read_bytes() == contents["deep/b.bin"]
    assert sorted(file.name for file in artifact.files()) == sorted(contents)
    with artifact.files(names=["a.txt"])[0].download("two") as file:
        assert file.read() == "1"
    with pytest.raises(KeyError, match="no 'nope'"):
        artifact.get_entry("nope")
    with pytest.raises(ValueError, match="has 3 files"):
        artifact.file()
    run.finish()


def test_what_can_be_changed_of_a_version_is_kept_by_save() -> None:
    run = wandb.init(project="p")
    artifact = run.log_artifact(dataset(a="1"), aliases=["x", "y"], tags=["t"]).wait()

    artifact.aliases.append("z")
    artifact.aliases.remove("x")
    artifact.tags = ["u", "v w"]
    artifact.description = "other"
    artifact.metadata["k"] = float("nan")
    artifact.ttl = timedelta(days=2)
    artifact.save()

    found = wandb.Api().artifact("p/ds:z")
    assert found.aliases == ["y", "latest", "z"]
    assert (found.tags, found.description) == (["u", "v w"], "other")
    assert found.metadata == {"n": 1, "k": None}
    assert found.ttl == timedelta(days=2)
    with pytest.raises(CommError):
        wandb.Api().artifact("p/ds:x")
    found.ttl = None
    found.save()
    assert wandb.Api().artifact("p/ds").ttl is None
    with pytest.raises(ArtifactFinalizedError):
        found.add_file("x")
    run.finish()


def test_a_draft_of_a_version_has_its_content_and_becomes_the_next() -> None:
    run = wandb.init(project="p")
    first = run.log_artifact(dataset(a="1", b="1")).wait()

    draft = first.new_draft()
    draft.remove("a")
    with draft.new_file("c") as file:
        file.write("2")
    with pytest.raises(ArtifactNotLoggedError):
        draft.version  # noqa: B018
    draft.save()
    draft.wait()
    added = wandb.Artifact("ds", "dataset", incremental=True)
    with added.new_file("d") as file:
        file.write("3")
    run.log_artifact(added).wait()

    assert (draft.name, draft.metadata) == ("ds:v1", {"n": 2})
    assert sorted(draft.manifest.entries) == ["b", "c"]
    assert sorted(added.manifest.entries) == ["b", "c", "d"]
    assert sorted(first.manifest.entries) == ["a", "b"]
    run.finish()


def test_processes_of_a_group_build_one_artifact_together() -> None:
    run = wandb.init(project="p", group="job")
    for name in "abc":
        Path(name).write_text(name)

    for name in "ab":
        run.upsert_artifact(name, name="parts", type="dataset")
    finished = run.finish_artifact("c", name="parts", type="dataset").wait()

    assert finished.version == "v0"
    assert sorted(finished.manifest.entries) == ["a", "b", "c"]
    run.finish()


def test_models_are_logged_used_and_linked() -> None:
    Path("model.pt").write_bytes(b"weights")
    run = wandb.init(project="p")
    run.log_model("model.pt", name="net", aliases=["best"])

    path = run.use_model("net:best")
    linked = run.link_model("model.pt", "Net", name="net", aliases=["prod"])
    again = run.link_artifact(run.use_artifact("net:v0"), "model-registry/Net", ["staging"])
    run.log_artifact(dataset(a="1"))
    with pytest.raises(AssertionError, match="type 'dataset'"):
        run.use_model("ds:latest")
    with pytest.raises(AssertionError, match="is a path"):
        run.link_model("model.pt", "a/Net")

    assert Path(path).read_bytes() == b"weights"
    assert (linked.qualified_name, linked.version) == ("local/model-registry/Net:v0", "v0")
    assert (linked.is_link, linked.source_name, linked.source_project) == (True, "net:v0", "p")
    assert again.aliases == ["prod", "staging", "latest"]
    assert again.source_artifact.aliases == ["best", "latest"]
    assert [a.name for a in again.source_artifact.linked_artifacts] == ["Net:v0"]
    used = run.use_artifact("model-registry/Net:prod")
    assert files_below(used.download()) == {"model.pt": b"weights"}
    used.unlink()
    with pytest.raises(ValueError, match="is no link"):
        used.source_artifact.unlink()
    with pytest.raises(CommError):
        run.use_artifact("model-registry/Net:prod")
    run.finish()


def test_versions_are_deleted_with_their_aliases_or_not_at_all() -> None:
    run = wandb.init(project="p")
    first, second = (run.log_artifact(dataset(a=text)).wait() for text in "12")

    with pytest.raises(CommError, match="delete_aliases=True"):
        second.delete()
    second.delete(delete_aliases=True)
    with pytest.raises(CommError, match="deleted"):
        second.save()
    third = run.log_artifact(dataset(a="2")).wait()

    assert second.state == "DELETED"
    assert third.version == "v2"
    assert [a.version for a in wandb.Api().artifacts("dataset", "p/ds")] == ["v2", "v0"]
    first.delete()
    assert not wandb.Api().artifact_exists("p/ds:v0")
    run.finish()


def test_an_artifact_may_be_made_before_the_run_and_elsewhere(tmp_path: Path) -> None:
    Path("f.txt").write_text("hello")
    artifact = dataset(a="1")
    artifact.add_file("f.txt")
    artifact.add_reference(Path("f.txt").absolute().as_uri(), name="ref")

    with wandb.init(project="p", dir=tmp_path / "elsewhere") as run:
        run.log_artifact(artifact).wait()
        again = run.log_artifact(artifact, aliases=["again"])
        folder = run.use_artifact("ds:again").download()

    assert again is artifact
    assert files_below(folder) == {"a": b"1", "f.txt": b"hello", "ref": b"hello"}
    with wandb.init(project="q") as run:
        held: Any = run._session
        with held.handle._payloads._queue._lock:
            artifact = run.log_artifact(dataset(b="1"))
            with pytest.raises(WaitTimeoutError):
                artifact.wait(timeout=0)
    assert wandb.Api().artifact("q/ds").version == "v0", "finish waited for it"


def test_a_name_keeps_its_type_and_a_failure_is_told_by_wait() -> None:
    run = wandb.init(project="p")
    run.log_artifact(dataset(a="1")).wait()
    Path("f").write_text("x")
    with pytest.raises(ValueError, match="exists with type 'dataset'"):
        run.log_artifact("f", name="ds", type="model")

    other = dataset(b="1")
    with other._staging().opened() as store:
        store.blobs.delete(other.manifest.entries["b"].sha256)
    with pytest.raises(ValueError, match=r"could not be stored: .*not in the store"):
        run.log_artifact(other).wait()

    assert [a.version for a in wandb.Api().artifacts("dataset", "p/ds")] == ["v0"]
    run.finish()


def test_references_are_followed_where_they_can_be() -> None:
    Path("data").mkdir()
    Path("data/a").write_text("1")
    run = wandb.init(project="p")
    artifact = wandb.Artifact("refs", "dataset")
    artifact.add_reference(Path("data").absolute().as_uri(), name="folder")
    artifact.add_reference("s3://bucket/key", checksum=False)
    artifact.add_reference("http://127.0.0.1:9/nothing")  # nobody listens there
    run.log_artifact(artifact).wait()
    derived = wandb.Artifact("derived", "dataset")
    inner = run.log_artifact(dataset(x="inner")).wait()
    derived.add_reference(inner.get_entry("x"), name="borrowed")
    run.log_artifact(derived).wait()

    assert artifact.get_entry("key").ref_target() == "s3://bucket/key"
    with pytest.raises((ValueError, FileNotFoundError), match=r"s3://|127\.0\.0\.1"):
        artifact.download("strict")
    assert files_below(artifact.download("lax", allow_missing_references=True)) == {
        "folder/a": b"1"
    }
    Path("data/a").write_text("2")
    with pytest.raises(ValueError, match="not what it was"):
        artifact.get_entry("folder/a").download("changed")
    assert files_below(derived.download()) == {"borrowed": b"inner"}
    assert inner.get_entry("x").ref_url().startswith("wandb-artifact://")
    run.finish()


def test_tables_come_back_from_artifacts_as_they_went_in() -> None:
    run = wandb.init(project="p")
    table = wandb.Table(columns=["n", "text"], data=[[1, "a"], [2.5, None]])
    artifact = wandb.Artifact("tables", "dataset")
    artifact.add(table, "scores")
    artifact["deep/same"] = wandb.Table(columns=["n"], data=[[3]])
    run.log_artifact(artifact).wait()

    found = run.use_artifact("tables:latest")

    assert sorted(found.manifest.entries) == ["deep/same.table.json", "scores.table.json"]
    scores = found.get("scores")
    assert (scores.columns, scores.data) == (["n", "text"], [[1, "a"], [2.5, None]])
    assert found["deep/same"].data == [[3]]
    assert found.get("nope") is None
    assert found.get_entry("scores").path == "scores.table.json"
    borrowing = wandb.Artifact("borrowed", "dataset")
    entry = borrowing.add(scores, "mine")
    run.log_artifact(borrowing).wait()
    assert entry.ref == found.get_entry("scores").ref_url()
    assert run.use_artifact("borrowed:latest").get("mine").data == scores.data
    run.finish()


def test_a_table_that_is_logged_is_an_artifact_too() -> None:
    with wandb.init(project="p", id="r") as run:
        for number in (1, 2, 2):
            run.log({"eval/table": wandb.Table(columns=["n"], data=[[number]]), "loss": 0.5})

    api = wandb.Api()
    logged = api.run("p/r").logged_artifacts()
    assert [artifact.type for artifact in logged] == ["run_table", "run_table"]
    assert logged[1].name.startswith("run-r-evaltable-")
    assert logged[1].version == "v1"
    assert logged[1].get("eval/table").data == [[2]]
    assert len(list(api.run("p/r").scan_history(keys=["loss"]))) == 3
