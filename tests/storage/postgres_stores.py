"""Stores in PostgreSQL for the contract suites: each a namespace of one database."""

from __future__ import annotations

import atexit
import functools
import itertools
from pathlib import Path

from quark.storage.batch import Batch
from quark.storage.folder_blobs import FolderBlobs
from quark.storage.postgres import PostgresEngine, PostgresStore
from tests.support.servers.postgresql import shared_server

_numbers = itertools.count()


class EagerlyMergingPostgresStore(PostgresStore):
    """A store in which nothing stays pending."""

    def append(self, batch: Batch) -> int:
        new_frame_count = super().append(batch)
        self.points.merge(batch.run_id, final=True)
        return new_frame_count


@functools.cache
def shared_database() -> str:
    """Return the URL of this test process's database."""
    return shared_server().new_database()


@functools.cache
def shared_engine() -> PostgresEngine:
    """Return the connections of this test process to its database."""
    engine = PostgresEngine(shared_database())
    atexit.register(engine.close)
    return engine


def postgres_store(tmp_path: Path) -> PostgresStore:
    """Return a store in a namespace that nobody else has."""
    return _opened(PostgresStore, tmp_path)


def merging_postgres_store(tmp_path: Path) -> PostgresStore:
    """Return a store in which nothing stays pending."""
    return _opened(EagerlyMergingPostgresStore, tmp_path)


def _opened(kind: type[PostgresStore], tmp_path: Path) -> PostgresStore:
    namespace = f"team/{next(_numbers)}"
    return kind(shared_engine(), namespace, blobs=FolderBlobs(tmp_path / "blobs", lambda: None))
