"""Backups of a service that goes on, and what comes back of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from quark.cli.main import cli, run
from quark.errors import DamagedFileError, SessionStoreError
from quark.records import RunStatus
from quark.service.backup import database
from quark.service.backup.manifest import FILE_NAME, read_manifest
from quark.service.backup.taking import back_up, restore
from quark.service.stores import StoreKey, Stores
from quark.storage.documents import DocumentChange
from tests.service.writing import Writer
from tests.storage.building import batch, create_run, record
from tests.support.ports import lasting_port
from tests.support.service import running_service, service_config


def test_a_backup_of_a_running_training_is_whole_and_the_training_goes_on_from_it(
    tmp_path: Path,
) -> None:
    config = service_config(tmp_path / "first", port=lasting_port())
    with running_service(config) as running:
        store = running.store("vision")
        create_run(store)
        payload = store.blobs.put(b"weights" * 1000)[0]
        store.append(batch(2, 2, record(2, payload={"sha256": payload}), writer_id="creator"))
        store.documents.apply([DocumentChange("sweep", "s1", {"state": "running"})])
        writer = Writer(store)
        writer.await_frames(50)
        before = writer.seq
        manifest = back_up(config, tmp_path / "backup")
        after = writer.seq
        writer.await_frames(50)
    lost_after = writer.seq

    restored = service_config(tmp_path / "second", port=config.port)
    restore(tmp_path / "backup", restored)
    with running_service(restored):
        writer.await_frames(50)
        writer.stop()
        values = store.points.series("run-1", "loss").value.astype(int).tolist()
        run_record = store.records.get_run("run-1")
        with store.blobs.open(payload) as content:
            assert content.read() == b"weights" * 1000
        document = store.documents.get("sweep", "s1")
        store.close()

    gap = next(n for n, value in enumerate(values, 1) if value != n) if after < lost_after else 0
    kept, resumed = values[: gap - 1], values[gap - 1 :]
    assert before <= len(kept) <= after + 1, "the backup holds one moment between its two times"
    assert resumed == list(range(resumed[0], writer.seq + 1)), "all after it, in order, once"
    assert lost_after <= resumed[0] <= lost_after + 1
    assert writer.failures > 0
    assert run_record.status == RunStatus.RUNNING
    assert document is not None
    assert document.body == {"state": "running"}
    assert manifest.payload_count == 1


def test_what_an_older_backup_has_is_linked_and_what_is_gone_is_left_out(tmp_path: Path) -> None:
    config = service_config(tmp_path / "root")
    with running_service(config) as running:
        store = running.store()
        create_run(store)
        create_run(store, "run-2")
        payload = store.blobs.put(b"kept")[0]
        first = back_up(config, tmp_path / "monday")
        store.records.delete_run("run-2")
        second = back_up(config, tmp_path / "tuesday", previous=tmp_path / "monday")
        store.close()

    copies = [path for path in tmp_path.rglob(payload) if "root" not in path.parts]
    assert len({path.stat().st_ino for path in copies}) == 1
    assert len(copies) == 2
    runs = [name for name in first.files if name.endswith("run.db")]
    assert len(runs) == 2
    assert len([name for name in second.files if name.endswith("run.db")]) == 1
    assert read_manifest(tmp_path / "tuesday") == second


def test_a_backup_that_was_changed_or_is_not_whole_is_not_restored(tmp_path: Path) -> None:
    config = service_config(tmp_path / "root")
    with running_service(config) as running:
        store = running.store()
        create_run(store)
        manifest = back_up(config, tmp_path / "backup")
        store.close()
    target = service_config(tmp_path / "target")
    occupied = service_config(tmp_path / "root")
    foreign = service_config(tmp_path / "target", db_url="postgresql://db/quark")

    with pytest.raises(SessionStoreError, match="is there already"):
        back_up(config, tmp_path / "backup")
    with pytest.raises(SessionStoreError, match="is not empty"):
        restore(tmp_path / "backup", occupied)
    with pytest.raises(SessionStoreError, match="set to files and postgresql"):
        restore(tmp_path / "backup", foreign)
    damaged = tmp_path / "backup" / next(name for name in manifest.files if "run.db" in name)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    with pytest.raises(DamagedFileError, match="has changed since"):
        restore(tmp_path / "backup", target)
    (tmp_path / "backup" / FILE_NAME).unlink()
    with pytest.raises(SessionStoreError, match="is no backup"):
        restore(tmp_path / "backup", target)
    assert not (tmp_path / "target").exists()


def test_the_commands_take_a_backup_and_bring_it_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = service_config(tmp_path / "root")
    with running_service(config) as running:
        store = running.store()
        create_run(store)
        store.close()

    root, target, backup = (str(tmp_path / name) for name in ("root", "target", "backup"))
    assert run(cli, ["admin", "backup", "--root", root, backup]) == 0
    assert run(cli, ["admin", "restore", "--root", target, backup, "--json"]) == 0
    assert run(cli, ["admin", "restore", "--root", target, backup]) == 1

    told = capsys.readouterr()
    assert "Kept" in told.out
    assert '"payload_count":0' in told.out
    assert "is not empty" in told.err
    assert (tmp_path / "target" / "workspaces").is_dir()


def test_no_name_of_a_workspace_a_store_or_a_run_keeps_it_from_being_backed_up(
    tmp_path: Path,
) -> None:
    config = service_config(tmp_path / "root")
    passing = ("incoming", "incoming-parts", "journal", "processes", "staging", "sweeps")
    with contextlib.closing(Stores(config)) as stores:
        keys = [StoreKey(name) for name in passing]
        keys += [StoreKey("team", f"{name}/{name}") for name in passing]
        for key in keys:
            store = stores.get(key)
            for run_id in passing:
                create_run(store, run_id)
            store.blobs.put(b"weights")
        (config.root / "service" / "processes").mkdir(parents=True)
        (config.root / "service" / "processes" / "elsewhere-7.json").write_text("{}")
        back_up(config, tmp_path / "backup")

    again = service_config(tmp_path / "again")
    restore(tmp_path / "backup", again)

    assert not (again.root / "service").exists(), "no process of the old root lives here"
    with contextlib.closing(Stores(again)) as stores:
        for key in keys:
            runs = stores.get(key).records.list_runs()
            assert sorted(run.id for run in runs) == sorted(passing)
            assert len(list(stores.get(key).blobs.digests())) == 1


def test_postgresql_is_dumped_over_the_connection_that_the_url_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    program = tmp_path / "pg_dump"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$PGPASSWORD" "$@" > {told}\n')
    program.chmod(0o755)
    monkeypatch.setattr(database, "_found", lambda name: str(tmp_path / name))

    url = "postgresql://quark:a%40b@db1:5433,db2:5434/runs?sslmode=verify-full&password=s%20t"
    database.dump_database(url, tmp_path / "dump")

    password, _, place, *_ = told.read_text().splitlines()
    assert password == "s t"
    assert conninfo_to_dict(place.removeprefix("--dbname=")) == {
        "user": "quark",
        "host": "db1,db2",
        "port": "5433,5434",
        "dbname": "runs",
        "sslmode": "verify-full",
    }
