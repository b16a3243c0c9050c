"""A connection as the store uses it: with a deadline for every answer, and rows in binary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, Cursor, conninfo
from psycopg.abc import PQGen
from psycopg.waiting import Ready

from quark.clock import SYSTEM_CLOCK
from quark.errors import SessionStoreError

RV = TypeVar("RV")
Row = tuple[Any, ...]

#: The oldest server that the store is tested with, as libpq counts.
OLDEST_SERVER = 150_000

#: How much longer than the server itself we wait for it to give up a statement.
_SLACK_SECONDS = 2.0

_SETTINGS = (
    "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false), "
    "set_config('idle_in_transaction_session_timeout', '60s', false)"
)


class AnswerTimeoutError(psycopg.OperationalError):
    """The server has not answered in the time that there was; the connection is of no use now."""


class DeadlineConnection(Connection[Row]):
    """A connection that waits no longer than ``answer_seconds`` for the server.

    The server ends slow statements by itself; this is for one that has stopped answering at all.
    ``generation``: how many connections had been lost when this one was made.
    """

    answer_seconds: float = 60.0
    generation: int = 0

    def wait(self, gen: PQGen[RV], *arguments: Any, **named: Any) -> RV:
        deadline = SYSTEM_CLOCK.monotonic() + self.answer_seconds
        return super().wait(_until(deadline, gen), *arguments, **named)

    def ask(self, sql: str, values: Sequence[Any] = ()) -> Cursor[Row]:
        """Run one statement; blobs and floats come as their bytes, not as digits."""
        cursor = self.cursor(binary=True)
        cursor.execute(sql, values or None)
        return cursor

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Let statements of the open transaction take longer than others."""
        usual, self.answer_seconds = self.answer_seconds, seconds + _SLACK_SECONDS
        try:
            self.ask(
                "SELECT set_config('statement_timeout', %s, true), "
                "set_config('lock_timeout', %s, true)",
                [f"{seconds:.0f}s"] * 2,
            )
            yield
        finally:
            self.answer_seconds = usual


def _until(deadline: float, gen: PQGen[RV]) -> PQGen[RV]:
    """Go on with ``gen`` until it ends; psycopg looks in several times a second."""
    try:
        waiting_for = next(gen)
    except StopIteration as end:
        early: RV = end.value
        return early
    while True:
        ready = yield waiting_for
        if ready == Ready.NONE and SYSTEM_CLOCK.monotonic() > deadline:
            raise AnswerTimeoutError("the server does not answer")
        try:
            waiting_for = gen.send(ready)
        except StopIteration as end:
            result: RV = end.value
            return result


def parse_url(url: str) -> tuple[dict[str, Any], str]:
    """Return libpq's parameters and the URL without its secrets.

    Raises:
        SessionStoreError: It is no such URL.

    >>> parse_url("postgresql://quark:secret@db.example.com/runs")[1]
    'postgresql://quark@db.example.com/runs'
    """
    try:
        parameters = dict(conninfo.conninfo_to_dict(url))
    except psycopg.Error:
        parameters = {}
    port = str(parameters.get("port", "5432"))
    # A '/' in the password ends the host early: then parts of it are in the port and the database.
    is_torn = not port.replace(",", "").isdigit() or "@" in str(parameters.get("dbname", ""))
    if not url.startswith(("postgresql://", "postgres://")) or not parameters or is_torn:
        # Not even the driver's reason is told: it would quote the part with the password.
        raise SessionStoreError(
            "The URL of the PostgreSQL server cannot be read; it must look like "
            "postgresql://USER:PASSWORD@HOST:5432/DATABASE, with '@', ':', '/' and '%' in the "
            "password percent-encoded."
        )
    user = f"{parameters['user']}@" if "user" in parameters else ""
    host = str(parameters.get("host", "localhost"))
    port = f":{parameters['port']}" if "port" in parameters else ""
    where = host.replace("/", "%2F") + port
    return parameters, f"postgresql://{user}{where}/{parameters.get('dbname', '')}"


def connect(
    parameters: dict[str, Any],
    target: str,
    *,
    connect_timeout_seconds: int,
    statement_timeout_seconds: float,
    lock_timeout_seconds: float,
    generation: int,
) -> DeadlineConnection:
    """Open a connection; every statement is a transaction of its own unless one is begun.

    Raises:
        SessionStoreError: The server is too old.
        psycopg.Error: It cannot be reached, or refuses.
    """
    defaults = {
        "application_name": "quark",
        "connect_timeout": connect_timeout_seconds,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": int(statement_timeout_seconds * 1000),
    }
    connection = DeadlineConnection.connect(
        **{**defaults, **parameters, "client_encoding": "utf8"}, autocommit=True
    )
    try:
        if connection.info.server_version < OLDEST_SERVER:
            found = connection.info.parameter_status("server_version")
            raise SessionStoreError(
                f"{target} is PostgreSQL {found}; Quark needs version {OLDEST_SERVER // 10_000} "
                "or newer."
            )
        connection.generation = generation
        connection.answer_seconds = statement_timeout_seconds + _SLACK_SECONDS
        milliseconds = (statement_timeout_seconds * 1000, lock_timeout_seconds * 1000)
        connection.ask(_SETTINGS, [f"{value:.0f}ms" for value in milliseconds])
    except BaseException:
        connection.close()
        raise
    return connection
