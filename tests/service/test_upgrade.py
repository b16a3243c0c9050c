"""A service of a newer Quark on what an older one kept, while a training goes on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from quark.errors import SchemaMigrationError
from quark.storage import run_db
from quark.storage.embedded import EmbeddedStore
from quark.storage.sqlite_open import Schema
from tests.service.writing import Writer
from tests.storage.building import create_run
from tests.support.ports import lasting_port
from tests.support.service import running_service, service_config


def test_a_run_in_progress_is_brought_to_the_new_schema_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = service_config(tmp_path, port=lasting_port(), merge_processes=0)
    with running_service(config) as running:
        store = running.store("vision")
        create_run(store)
        writer = Writer(store)
        writer.await_frames(20)

    older = run_db.RUN_SCHEMA
    newer = Schema("run", (*older.migrations, ("ALTER TABLE run ADD COLUMN later TEXT",)))
    monkeypatch.setattr(run_db, "RUN_SCHEMA", newer)
    with running_service(config):
        writer.await_frames(20)
        writer.stop()
        values = store.points.series("run-1", "loss").value.astype(int).tolist()
        store.close()

    assert values == list(range(1, writer.seq + 1)), "nothing is lost, and nothing came twice"
    (path,) = tmp_path.rglob("run.db")
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (newer.version,)
    connection.close()
    monkeypatch.setattr(run_db, "RUN_SCHEMA", older)
    store_of_old = EmbeddedStore(path.parents[2])
    with pytest.raises(SchemaMigrationError, match="install a newer Quark"):
        store_of_old.records.get_run("run-1")
    store_of_old.close()
