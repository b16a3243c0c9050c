"""What all namespaces of a process share of a ClickHouse: connections, schema, grouped inserts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property

from quark import ids
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SessionStoreError, SettingsError
from quark.storage.clickhouse.grouped_inserts import INTERVAL_SECONDS, GroupedInserts
from quark.storage.clickhouse.native import Answer
from quark.storage.clickhouse.schema import Dialect, has_column, migrate
from quark.storage.clickhouse.server import ClickHouseServer

#: A DateTime ends in 2106, and what is later wraps to a time that has passed.
_LAST_DATETIME = 2**32 - 1
_DAY_SECONDS = 86_400
_MUTATION_POLL_SECONDS = 0.05
#: So that the server says what is missing before we give it up.
_QUORUM_WAIT_RATIO = 0.5


class ClickHouseEngine:
    """One ClickHouse for any number of namespaces; threads may share it. Owns the server's
    connections.

    Creating it asks nothing; the tables are made, or brought to the current schema, by the first
    use.

    Raises:
        SettingsError: The URL is none of a ClickHouse.
    """

    def __init__(
        self,
        url: str,
        *,
        insert_interval_seconds: float = INTERVAL_SECONDS,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.server = ClickHouseServer(url, clock=clock)
        self._clock = clock
        self._inserts = GroupedInserts(
            self._insert, interval_seconds=insert_interval_seconds, clock=clock
        )
        self._lock = threading.Lock()
        self._dialect: Dialect | None = None
        self._last_arrival = 0

    @property
    def target(self) -> str:
        return self.server.target

    @property
    def dialect(self) -> Dialect:
        """How to talk to the server; the first caller makes the tables.

        Raises:
            SchemaMigrationError: They are of a newer schema.
            SessionStoreError: The server could not be reached, or refused.
        """
        if self._dialect is None:
            with self._lock:
                if self._dialect is None:
                    self._dialect = migrate(self.server)
        return self._dialect

    @property
    def table(self) -> str:
        return self.dialect.table

    @cached_property
    def has_retention(self) -> bool:
        """Whether rows can go by themselves; tables that an old server made cannot do that."""
        return self.dialect.has_row_ttl and has_column(self.server, "expires_at")

    def check(self) -> None:
        """Say by raising that the server cannot be used now.

        Raises:
            SchemaMigrationError: Its tables are of a newer schema.
            SessionStoreError: It could not be reached, or refused.
        """
        self.server.query(f"SELECT count() AS n FROM {self.table} WHERE namespace_id = '' LIMIT 1")

    def query(self, sql: str) -> Answer:
        """Return the columns of a SELECT. Asks always the same replica while that one lives, so
        that whoever wrote something reads it."""
        settings = {"load_balancing": "in_order"} if self.dialect.cluster else None
        return self.server.query(sql, settings)

    def insert(self, rows: bytes) -> None:
        """Store rows of the table, together with those of other threads.

        Raises:
            SessionStoreError: The server could not take them, now; they may be stored.
        """
        self.server.check_open()
        self._inserts.insert(rows)

    def next_arrival(self) -> int:
        """Return a number that is higher than all before it in this process: microseconds since the
        epoch, or one more than the last where the clock stands still or goes back."""
        with self._lock:
            self._last_arrival = max(self._clock.time_us(), self._last_arrival + 1)
            return self._last_arrival

    def expires_at(self, retention_days: int | None) -> int | None:
        """Return when rows that arrive now may go, in seconds since the epoch; 0 for never, and
        None if the table has no place for it.

        Raises:
            SettingsError: The table cannot do that, or the time is beyond what it can hold.
        """
        if retention_days is None:
            return 0 if self.has_retention else None
        if not self.has_retention:
            raise SettingsError(
                f"Points cannot be kept for {retention_days} days only: the table at {self.target} "
                "was made by a ClickHouse before 20.6, which knows no TTL of rows."
            )
        expires_at = self._clock.time_us() // 1_000_000 + retention_days * _DAY_SECONDS
        if retention_days < 1 or expires_at > _LAST_DATETIME:
            raise SettingsError(
                f"Points cannot be kept for {retention_days} days: it must be 1 or more, and end "
                "before 2106."
            )
        return expires_at

    def delete(self, condition: str) -> None:
        """Remove rows, and return when they are gone.

        Raises:
            SessionStoreError: The server could not be reached, refused, or is not done yet.
        """
        dialect = self.dialect
        if dialect.has_lightweight_delete:
            self.server.command(
                f"DELETE FROM {dialect.local_table}{dialect.on_cluster} WHERE {condition}",
                {"lightweight_deletes_sync": 2},
            )
            return
        self.server.command(
            f"ALTER TABLE {dialect.local_table}{dialect.on_cluster} DELETE WHERE {condition}"
        )
        self._wait_until_gone(condition)

    def close(self) -> None:
        """Close the connections. A second call does nothing."""
        self.server.close()

    def _wait_until_gone(self, condition: str) -> None:
        deadline = self._clock.monotonic() + self.server.timeout_seconds
        count = f"SELECT count() AS n FROM {self.table} WHERE {condition}"
        while int(self.query(count).ints("n")[0]):
            if self._clock.monotonic() > deadline:
                raise SessionStoreError(f"{self.target} has not deleted all points yet; try again.")
            threading.Event().wait(_MUTATION_POLL_SECONDS)

    def _insert(self, blocks: Sequence[bytes]) -> None:
        dialect = self.dialect
        settings: dict[str, str | int] = {}
        if dialect.cluster:
            settings |= {"insert_distributed_sync": 1, "load_balancing": "in_order"}
        if self.server.quorum:
            wait_ms = int(self.server.timeout_seconds * 1000 * _QUORUM_WAIT_RATIO)
            settings |= {"insert_quorum": self.server.quorum, "insert_quorum_timeout": wait_ms}
        if dialect.has_async_insert:
            settings["async_insert"] = 0  # they are grouped here, and must be there afterwards
        if dialect.has_deduplication_token:
            settings["insert_deduplication_token"] = ids.random_id(24)
        self.server.insert(f"INSERT INTO {dialect.table} FORMAT Native", blocks, settings)
