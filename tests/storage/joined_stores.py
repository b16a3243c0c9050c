"""Stores whose points are in ClickHouse, and the rest elsewhere: each a namespace of its own."""

from __future__ import annotations

import itertools
from pathlib import Path

from quark.storage.clickhouse.points import ClickHousePoints
from quark.storage.embedded import EmbeddedStore
from quark.storage.joined import JoinedStore
from tests.storage.postgres_stores import postgres_store
from tests.support.servers.clickhouse import ClickHouseServers

_NAMESPACES = itertools.count(1)


def joined_store(servers: ClickHouseServers, tmp_path: Path) -> JoinedStore:
    """Return a store whose records are in a folder."""
    return JoinedStore(EmbeddedStore(tmp_path / ".quark"), _points(servers))


def fleet_store(servers: ClickHouseServers, tmp_path: Path) -> JoinedStore:
    """Return a store whose records are in PostgreSQL."""
    return JoinedStore(postgres_store(tmp_path), _points(servers))


def _points(servers: ClickHouseServers) -> ClickHousePoints:
    return ClickHousePoints(servers.shared_engine, f"test/{next(_NAMESPACES)}")
