"""Stores of the contract suites that need a server: ``pytest tests/storage --stores NAME``.

What cannot be started here is skipped with the reason, and ``.ci/run`` installs all of it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

from quark.storage.protocols import Store
from tests.storage.blob_stores import store_over_http_with_objects, store_with_objects
from tests.storage.http_stores import store_over_http
from tests.storage.joined_stores import fleet_store, joined_store
from tests.storage.postgres_stores import (
    merging_postgres_store,
    postgres_store,
    shared_database,
)
from tests.support.servers.chdb import chdb
from tests.support.servers.clickhouse import clickhouse
from tests.support.servers.moto import moto
from tests.support.servers.object_store import VARIABLES
from tests.support.servers.rclone import rclone


@functools.cache
def _clickhouse_url() -> str:
    """Return one database for all services: each of their stores is a namespace in it."""
    return clickhouse().url()


SERVER_STORES: dict[str, Callable[[Path], Store]] = {
    "postgresql": postgres_store,
    "postgresql-merged": merging_postgres_store,
    "clickhouse": lambda tmp_path: joined_store(clickhouse(), tmp_path),
    "clickhouse-chdb": lambda tmp_path: joined_store(chdb(), tmp_path),
    "fleet": lambda tmp_path: fleet_store(clickhouse(), tmp_path),
    "blobs-moto": lambda tmp_path: store_with_objects(moto(), tmp_path),
    "blobs-rclone": lambda tmp_path: store_with_objects(rclone(), tmp_path),
    "http-moto": lambda tmp_path: store_over_http_with_objects(moto()),
    "http-rclone": lambda tmp_path: store_over_http_with_objects(rclone()),
    "http-postgresql": lambda tmp_path: store_over_http(db_url=shared_database()),
    "http-clickhouse": lambda tmp_path: store_over_http(points_url=_clickhouse_url()),
    "http-fleet": lambda tmp_path: _fleet_over_http(),
}


def _fleet_over_http() -> Store:
    """Return a store behind a service that keeps nothing itself."""
    os.environ.update(VARIABLES)  # where a service finds an object store's credentials
    return store_over_http(
        db_url=shared_database(), points_url=_clickhouse_url(), blobs_url=moto().url("fleet")
    )
