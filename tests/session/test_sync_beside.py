"""What belongs to a run and is not in its records: its files, its sweeps, its artifacts' names."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

import quark
from quark.catalog.commit import commit, link
from quark.catalog.editing import change_aliases, change_collection
from quark.catalog.manifest import Manifest, ManifestEntry
from quark.catalog.model import CollectionKey, Draft, RunRef, Version
from quark.catalog.reading import get_collection, get_version
from quark.errors import SessionStoreError
from quark.session import RunRequest, TrainingSession, sync_files, sync_sweeps
from quark.session.sync_files import copy_files
from quark.session.sync_sweeps import copy_sweeps
from quark.settings import Settings
from quark.storage.documents import NEW, DocumentChange
from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import store_root
from quark.storage.memory import MemoryStore
from quark.storage.protocols import Store
from quark.sweeps import trial as trial_documents
from quark.sweeps.sweep import Sweep
from tests.support.over_service import ServicePlace

SWEEP = {"method": "grid", "parameters": {"lr": {"values": [1, 2, 3]}}}


def a_run(folder: Path, run_id: str) -> TrainingSession:
    settings = Settings(storage_dir=str(folder), quiet=True)
    with TrainingSession.open(RunRequest(project="p", settings=settings, run_id=run_id)) as session:
        session.log_row({"loss": 0.5}, 0)
    return session


def test_the_names_of_documents_and_files_are_those_of_who_writes_them() -> None:
    from quark.compat.wandb.run_keeper import PATH_NAME
    from quark.compat.wandb.run_place import FILES
    from quark.compat.wandb.sent_files import RUN_FILE

    assert (sync_files.RUN_FILE, sync_files.PATH_NAME) == (RUN_FILE, PATH_NAME)
    assert sync_files.FILES == FILES
    own = (sync_sweeps.SWEEP, sync_sweeps.TRIAL, sync_sweeps.RUN, sync_sweeps._RUNNING)
    its = trial_documents
    assert own == (its.SWEEP, its.TRIAL, its.RUN, its.RUNNING)


def test_files_of_a_run_are_read_from_a_service_as_they_were(
    place: ServicePlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from quark.compat.wandb.run_keeper import PATH_NAME
    from quark.records import ArtifactRecord

    session = a_run(tmp_path / "here", "r1")
    folder = tmp_path / "here" / ".quark" / "runs" / session.run_id / "files"
    for name, text in (("a.txt", "a"), ("deep/er/b.txt", "b"), ("same.txt", "a")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "media").mkdir()
    (folder / "media" / "in-records.png").write_text("has a record of its own")
    sync = partial(quark.sync, tmp_path / "here", runs="all", url=place.url, user_key=place.key)
    before = len(list(folder.rglob("*.txt")))

    first, second = sync(), sync()
    (folder / "a.txt").write_text("changed")
    third = sync()

    store = place.store()
    found = {}
    for record in store.records.read(ArtifactRecord, session.run_id):
        with store.blobs.open(record.sha256) as stream:
            found[record.metadata[PATH_NAME]] = stream.read()
    store.close()
    assert found == {"a.txt": b"changed", "deep/er/b.txt": b"b", "same.txt": b"a"}
    assert [one.file_count for one in (first, second, third)] == [before, 0, 1] == [3, 0, 1]
    assert "3 files" in capsys.readouterr().err


def test_files_of_a_run_go_into_another_folder_as_files(tmp_path: Path) -> None:
    session = a_run(tmp_path / "here", "r1")
    files = Path(".quark", "runs", session.run_id, "files")
    (tmp_path / "here" / files).mkdir(exist_ok=True)
    (tmp_path / "here" / files / "a.txt").write_text("a")
    os.utime(tmp_path / "here" / files / "a.txt", (1, 1))
    team = f"file:{tmp_path / 'team'}"

    counts = [quark.sync(tmp_path / "here", runs="all", url=team).file_count for _ in range(2)]

    assert counts == [1, 0]
    assert (tmp_path / "team" / files / "a.txt").read_text() == "a"
    assert (tmp_path / "team" / files / "a.txt").stat().st_mtime == 1
    store = MemoryStore()
    assert copy_files(store, store, "r1") == 0, "it keeps no folders"
    store.close()


def test_a_sweep_goes_with_its_runs_and_is_brought_up_to_date(
    place: ServicePlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(storage_dir=str(tmp_path / "here"), quiet=True)
    for run_id in ("r1", "r2", "alone"):
        a_run(tmp_path / "here", run_id)
    with Sweep.create(SWEEP, project="p", settings=settings, prior_runs=["r1", "r2"]) as sweep:
        pass
    sync = partial(quark.sync, tmp_path / "here", url=place.url, user_key=place.key)

    assert sync(runs=["alone"]).sweep_document_count == 0
    first = sync(runs=["r1"])
    second = sync(runs=["r1"])
    third = sync(runs=["r2"])
    with Sweep.load(sweep.id, settings) as here:
        here.cancel()
    fourth = sync(runs="all")

    assert (first.sweep_document_count, second.sweep_document_count) == (4, 0)
    assert (third.sweep_document_count, fourth.sweep_document_count) == (1, 1)
    there = Settings.load(
        persistence_url=place.url, user_key=place.key, storage_dir=str(tmp_path / "there")
    )
    with Sweep.load(sweep.id, there) as copy, Sweep.load(sweep.id, settings) as here:
        assert copy.state == here.state != "running"
        assert [trial.run_id for trial in copy.trials()] == ["r1", "r2"]
        assert copy.trials() == here.trials()
    store = place.store()
    assert [store.documents.get("sweep_run", name) is None for name in ("r1", "r2", "alone")] == [
        False, False, True,
    ]  # fmt: skip
    store.close()
    assert "4 documents of sweeps" in capsys.readouterr().err


def test_what_the_other_store_knows_better_of_a_sweep_stays() -> None:
    here, there = MemoryStore(), MemoryStore()

    def put(store: Store, kind: str, name: str, **body: object) -> None:
        store.documents.apply([DocumentChange(kind, name, body)])

    put(here, "sweep_run", "r1", sweep_id="s", number=1)
    put(here, "sweep", "s", created_at="1", updated_at="5", state="running")
    for number, state in enumerate(("running", "completed", "running")):
        put(here, "sweep_trial", f"s/{number}", number=number, state=state)
    put(there, "sweep", "s", created_at="1", updated_at="6", state="finished")
    put(there, "sweep_trial", "s/0", number=0, state="failed")
    put(there, "sweep_trial", "s/1", number=1, state="running")

    assert copy_sweeps(here, there, ["r1", "r2"], "") == (3, ())
    assert copy_sweeps(here, there, ["r1", "r2"], "") == (0, ())

    states = [one.body["state"] for one in there.documents.list("sweep_trial", "s/")]
    assert states == ["failed", "completed", "running"]
    sweep = there.documents.get("sweep", "s")
    assert sweep is not None
    assert sweep.body["state"] == "finished"
    put(there, "sweep", "s", created_at="2", updated_at="6", state="finished")
    count, (reason,) = copy_sweeps(here, there, ["r1"], "")
    assert count == 0
    assert "another sweep 's'" in reason
    here.close()
    there.close()


def version_of(store: Store, run_id: str, text: bytes, *aliases: str) -> Version:
    sha256, size_bytes = store.blobs.put(text)
    entry = ManifestEntry(path="a", digest=sha256[:8], size_bytes=size_bytes, sha256=sha256)
    run = store.records.get_run(run_id)
    made = commit(
        store,
        Draft(
            key=CollectionKey(run.workspace, "p", "model"),
            type="model",
            manifest=Manifest({"a": entry}),
            aliases=aliases,
            run=RunRef(run.id, run.project_name, run.workspace),
        ),
    )
    assert made is not None
    return made


def test_aliases_and_what_is_said_of_a_collection_go_with_versions(
    place: ServicePlace, tmp_path: Path
) -> None:
    a_run(tmp_path / "here", "r1")
    source = EmbeddedStore(store_root(tmp_path / "here"))
    old, new = version_of(source, "r1", b"old", "base"), version_of(source, "r1", b"new")
    portfolio = link(source, new, old.key._replace(name="chosen"), ["candidate"])
    sync = partial(quark.sync, tmp_path / "here", runs="all", url=place.url, user_key=place.key)
    assert sync().artifact_count == 2

    change_aliases(source, old, ["best"])
    change_aliases(source, new, ["base", "fast"])
    change_aliases(source, portfolio, ["production"])
    change_collection(
        source, get_collection(source, old.key), {"description": "mine", "tags": ["t"]}
    )
    source.close()
    sync(), sync()

    store = place.store()
    key = old.key._replace(workspace="local")
    assert get_version(store, key, "best").index == get_version(store, key, "base").index == 0
    assert get_version(store, key, "fast").index == get_version(store, key, "latest").index == 1
    assert get_collection(store, key).next_index == 2
    assert get_collection(store, key).description == "mine"
    assert get_collection(store, key).tags == ("t",)
    chosen = get_version(store, key._replace(name="chosen"), "production")
    assert (chosen.index, chosen.source) == (0, key)
    store.close()


def test_a_copy_that_broke_off_in_the_middle_of_a_sweep_is_completed(tmp_path: Path) -> None:
    class Failing(MemoryStore):
        left = 0

    here, there = MemoryStore(), Failing()
    changes = [DocumentChange("sweep_run", "r1", {"sweep_id": "s", "number": 1}, NEW)]
    changes += [
        DocumentChange("sweep_trial", f"s/{number:08d}", {"number": number, "state": "failed"})
        for number in range(500)
    ]
    here.documents.apply(changes)
    body = {"created_at": "1", "updated_at": "1", "workspace": "local"}
    here.documents.apply([DocumentChange("sweep", "s", body, NEW)])
    apply = there.documents.apply

    def failing(changes: list[DocumentChange]) -> object:
        if not there.left:
            raise SessionStoreError("the network is gone")
        there.left -= 1
        return apply(changes)

    there.documents.apply = failing  # type: ignore[assignment, method-assign]
    counts = list[int]()
    for _ in range(5):
        there.left = 1
        try:
            counts.append(copy_sweeps(here, there, ["r1"], "team")[0])
        except SessionStoreError:
            assert there.documents.get("sweep", "s") is None or len(counts) == 0
            there.left = 0
    there.left = 10
    copy_sweeps(here, there, ["r1"], "team")

    assert len(there.documents.list("sweep_trial")) == 500
    sweep = there.documents.get("sweep", "s")
    assert sweep is not None
    assert sweep.body == {**body, "workspace": "team"}
    assert there.documents.get("sweep_run", "r1") is not None
    here.close()
    there.close()
