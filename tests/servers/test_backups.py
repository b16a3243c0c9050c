"""Backups of a service whose records are in PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from quark.errors import SessionStoreError
from quark.service.backup.taking import back_up, restore
from tests.service.writing import Writer
from tests.storage.building import create_run
from tests.support.ports import lasting_port
from tests.support.servers.postgresql import PASSWORD, shared_server
from tests.support.service import running_service, service_config


def test_a_database_is_backed_up_under_a_training_that_goes_on_from_it(tmp_path: Path) -> None:
    server = shared_server()
    config = service_config(tmp_path / "first", port=lasting_port(), db_url=server.new_database())
    with running_service(config) as running:
        store = running.store("vision")
        create_run(store)
        payload = store.blobs.put(b"weights")[0]
        writer = Writer(store)
        writer.await_frames(30)
        before = writer.seq
        back_up(config, tmp_path / "backup")
        after = writer.seq
        writer.await_frames(30)
    lost_after = writer.seq

    restored = service_config(tmp_path / "second", port=config.port, db_url=server.new_database())
    restore(tmp_path / "backup", restored)
    with running_service(restored):
        writer.await_frames(30)
        writer.stop()
        values = store.points.series("run-1", "loss").value.astype(int).tolist()
        assert store.blobs.exists(payload)
        store.close()

    kept = next(n for n, value in enumerate(values, 1) if value != n) - 1
    assert before <= kept <= after + 1
    assert values[kept:] == list(range(values[kept], writer.seq + 1))
    assert lost_after <= values[kept] <= lost_after + 1


def test_a_database_that_is_not_empty_or_not_there_is_left_alone(tmp_path: Path) -> None:
    server = shared_server()
    config = service_config(tmp_path / "root", db_url=server.new_database())
    with running_service(config) as running:
        store = running.store()
        create_run(store)
        back_up(config, tmp_path / "backup")
        occupied = service_config(tmp_path / "other", db_url=config.db_url)
        with pytest.raises(SessionStoreError, match="pg_restore failed"):
            restore(tmp_path / "backup", occupied)
        assert store.records.get_run("run-1").status == "running"
        store.close()
    gone = service_config(tmp_path / "root", db_url=server.url("no_such_database"))

    with pytest.raises(SessionStoreError, match="pg_dump failed") as refused:
        back_up(gone, tmp_path / "never")

    assert "no_such_database" in str(refused.value)
    assert not (tmp_path / "never").exists()
    assert PASSWORD not in str(refused.value)
