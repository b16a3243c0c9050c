"""The tables in ClickHouse, for servers of all ages: docs/formats.md describes them.

Migrations are ordered and may each run twice, as several services may open a new database at once.
That one is done is marked by a view, since a view is the same on every host of a cluster, whatever
happens to its data.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from quark.errors import SchemaMigrationError
from quark.storage.clickhouse.literals import name, text
from quark.storage.clickhouse.server import ClickHouseServer

TABLE = "point"
_LOCAL_TABLE = "point_local"
_MARK = "schema_"
_SORTED_BY = "namespace_id, run_id, key, writer_id, seq, occurrence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a server of some version understands, and where its tables are."""

    version: tuple[int, int]
    database: str
    cluster: str | None = None

    @property
    def has_codecs(self) -> bool:
        return self.version >= (20, 3)

    @property
    def has_row_ttl(self) -> bool:
        return self.version >= (20, 6)

    @property
    def has_async_insert(self) -> bool:
        return self.version >= (21, 11)

    @property
    def has_deduplication_token(self) -> bool:
        return self.version >= (22, 2)

    @property
    def has_lightweight_delete(self) -> bool:
        return self.version >= (23, 3)

    @property
    def on_cluster(self) -> str:
        return f" ON CLUSTER {name(self.cluster)}" if self.cluster else ""

    @property
    def table(self) -> str:
        """The table that is read and inserted into: the distributed one if there is a cluster."""
        return f"{name(self.database)}.{name(TABLE)}"

    @property
    def local_table(self) -> str:
        """The table that holds rows on each host."""
        return f"{name(self.database)}.{name(_LOCAL_TABLE)}" if self.cluster else self.table


def _create_points(dialect: Dialect) -> list[str]:
    """Version 1: one row a point."""
    engine = "ReplacingMergeTree(arrival)"
    if dialect.cluster:
        path = text(f"/clickhouse/tables/{{shard}}/{dialect.database}/{TABLE}")
        engine = f"ReplicatedReplacingMergeTree({path}, '{{replica}}', arrival)"
    ttl = " TTL expires_at DELETE WHERE expires_at > toDateTime(0)" if dialect.has_row_ttl else ""
    statements = [
        f"CREATE TABLE IF NOT EXISTS {dialect.local_table}{dialect.on_cluster} "
        f"({_columns(dialect)}) ENGINE = {engine} ORDER BY ({_SORTED_BY}){ttl}"
    ]
    if dialect.cluster:
        cluster, database, local = map(text, (dialect.cluster, dialect.database, _LOCAL_TABLE))
        statements.append(
            f"CREATE TABLE IF NOT EXISTS {dialect.table}{dialect.on_cluster} "
            f"({_columns(dialect)}) ENGINE = Distributed({cluster}, {database}, {local}, "
            "cityHash64(namespace_id, run_id))"
        )
    return statements


MIGRATIONS: tuple[Callable[[Dialect], list[str]], ...] = (_create_points,)


def migrate(server: ClickHouseServer) -> Dialect:
    """Bring the server's database to the current schema; return how to talk to it.

    Raises:
        SchemaMigrationError: The database is of a newer schema.
        SessionStoreError: The server could not be reached, or refused.
    """
    dialect = Dialect(version=server.version, database=server.database, cluster=server.cluster)
    found = schema_version(server)
    if found > len(MIGRATIONS):
        raise SchemaMigrationError(
            f"The database {server.database!r} at {server.target} has schema version {found}; this "
            f"Quark knows versions up to {len(MIGRATIONS)}. Use a newer Quark."
        )
    database = name(server.database)
    if not found:
        server.command(f"CREATE DATABASE IF NOT EXISTS {database}{dialect.on_cluster}")
    for number, migration in enumerate(MIGRATIONS[found:], start=found + 1):
        for statement in migration(dialect):
            server.command(statement)
        server.command(
            f"CREATE VIEW IF NOT EXISTS {database}.{name(f'{_MARK}{number}')}"
            f"{dialect.on_cluster} AS SELECT toUInt32({number}) AS version"
        )
    return dialect


def schema_version(server: ClickHouseServer) -> int:
    """Return the schema version of the server's database, 0 if there is none yet."""
    listed = server.query(
        f"SELECT name FROM system.tables WHERE database = {text(server.database)}"
    ).strings("name")
    marks = (re.fullmatch(rf"{_MARK}(\d+)", table) for table in listed)
    return max((int(mark[1]) for mark in marks if mark), default=0)


def has_column(server: ClickHouseServer, column: str) -> bool:
    """Say whether the table of points has a column; one that an old server made has fewer."""
    found = server.query(
        "SELECT name FROM system.columns "
        f"WHERE database = {text(server.database)} AND table = {text(TABLE)} "
        f"AND name = {text(column)}"
    )
    return bool(found.strings("name"))


def _columns(dialect: Dialect) -> str:
    """The columns, with codecs for the order in which they rest: by key, then by frame."""
    word, counter, number, value = "String", "", "", ""
    if dialect.has_codecs:
        word = "LowCardinality(String)"
        counter = " CODEC(DoubleDelta, ZSTD(1))"
        number = " CODEC(Delta, ZSTD(1))"
        value = " CODEC(Gorilla, ZSTD(1))"
    columns = [
        f"namespace_id {word}",
        f"run_id {word}",
        f"key {word}",
        f"writer_id {word}",
        f"seq UInt64{counter}",
        f"occurrence UInt32{number}",
        f"arrival UInt64{number}",
        f"place UInt32{number}",
        f"step Int64{counter}",
        f"epoch Int64{number}",
        f"time_us Int64{counter}",
        f"value Float64{value}",
    ]
    if dialect.has_row_ttl:
        columns.append(f"expires_at DateTime{number}")
    return ", ".join(columns)
