"""Requests to ClickHouse over plain HTTP: deadlines, several hosts, and errors as a store's own."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SessionStoreError, SettingsError
from quark.storage.clickhouse.native import Answer, decode_blocks

if TYPE_CHECKING:
    import httpx

_CONNECTIONS = 64
_CONNECT_SECONDS = 5.0
#: Servers close a connection that is idle for 3 (18.16) or 10 seconds; be the first.
_KEEPALIVE_SECONDS = 2.0
_PARAMETERS = frozenset({"cluster", "secure", "timeout_seconds", "quorum"})
#: Larger statements need higher limits than a server's own.
_USUAL_STATEMENT_BYTES = 200_000

#: What the server gets over by itself: too many queries, no memory, no ZooKeeper, too many parts,
#: too few replicas for a quorum.
_BUSY_CODES = frozenset({202, 241, 242, 252, 285, 286, 319, 999})
_BUSY_PAUSE_SECONDS = 1.0
_REFUSED_CODES = frozenset({192, 193, 194, 516})

Settings = Mapping[str, str | int]


class ClickHouseError(SessionStoreError):
    """The server answered with an error; ``code`` is the server's number for it."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class ClickHouseServer:
    """One ClickHouse, by one or several of its hosts. Threads may share it; a forked child gets
    connections of its own. Owns its connections.

    The URL is ``clickhouse://[user:password@]host[:8123][,host2...][/database][?...]`` with the
    parameters ``cluster`` (a name from the servers' configuration), ``quorum`` (on how many
    replicas an insert must rest), ``secure=1`` (HTTPS) and ``timeout_seconds``.

    Raises:
        SettingsError: The URL is none of these.
    """

    def __init__(self, url: str, *, clock: Clock = SYSTEM_CLOCK) -> None:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        if parts.scheme != "clickhouse" or not parts.hostname or set(options) - _PARAMETERS:
            raise SettingsError(
                f"{_without_secrets(parts)} is no URL of a ClickHouse; use clickhouse://[user:"
                "password@]host[:port][,host...][/database][?cluster=NAME&quorum=2&secure=1"
                "&timeout_seconds=30]."
            )
        self.target = _without_secrets(parts)
        self.database = unquote(parts.path.strip("/")) or "quark"
        self.cluster = options.get("cluster") or None
        self.quorum = _number(options, "quorum", 0)
        self.timeout_seconds = float(_number(options, "timeout_seconds", 30))
        scheme, port = ("https", 8443) if options.get("secure") == "1" else ("http", 8123)
        hosts = parts.netloc.rpartition("@")[2].split(",")
        self._hosts = [f"{scheme}://{host if _has_port(host) else f'{host}:{port}'}/"
                       for host in hosts]  # fmt: skip
        self._login = (unquote(parts.username or "default"), unquote(parts.password or ""))
        self._clock = clock
        self._lock = threading.Lock()
        self._preferred = 0
        self._version: tuple[int, int] | None = None
        self._client: httpx.Client | None = None
        self._pid = os.getpid()
        self._closed = False

    @property
    def version(self) -> tuple[int, int]:
        """The year and month of the server's release, such as (18, 16)."""
        if self._version is None:
            found = re.match(rb"(\d+)\.(\d+)", self.command("SELECT version()"))
            if found is None:
                raise SessionStoreError(f"{self.target} does not tell its version; is it one?")
            self._version = (int(found[1]), int(found[2]))
        return self._version

    def command(self, sql: str, settings: Settings | None = None) -> bytes:
        """Carry out a statement and return what it says.

        Raises:
            SessionStoreError: The server could not be reached, refused, or took too long.
        """
        return self._ask(self._for_size(sql, settings or {}), [sql.encode()])

    def query(self, sql: str, settings: Settings | None = None) -> Answer:
        """Return the columns of a SELECT.

        Raises:
            SessionStoreError: As :meth:`command`.
        """
        return decode_blocks(self.command(f"{sql} FORMAT Native", settings))

    def insert(self, sql: str, blocks: Sequence[bytes], settings: Settings | None = None) -> None:
        """Insert Native blocks in one go; ``sql`` ends in ``FORMAT Native``.

        A host that cannot be reached is left out; the same rows may come to rest twice by that.

        Raises:
            SessionStoreError: As :meth:`command`.
        """
        self._ask({"query": sql, **(settings or {})}, blocks)

    def check_open(self) -> None:
        """Raise :class:`SessionStoreError` once this was closed."""
        if self._closed:
            raise SessionStoreError(f"The connection to {self.target} is closed; open a new one.")

    def close(self) -> None:
        """Close all connections. A second call does nothing."""
        self._closed = True
        with self._lock:
            client, self._client = self._client, None
        if client is not None and self._pid == os.getpid():
            client.close()

    def _for_size(self, sql: str, settings: Settings) -> dict[str, str | int]:
        if len(sql) < _USUAL_STATEMENT_BYTES:
            return dict(settings)
        names = ("max_query_size", "max_ast_elements", "max_expanded_ast_elements")
        return {**dict.fromkeys(names, 2**28), **settings}

    def _ask(self, parameters: Settings, body: Sequence[bytes]) -> bytes:
        import httpx

        deadline = self._clock.monotonic() + self.timeout_seconds
        reason: Exception | None = None
        for host in self._hosts_to_try():
            left = deadline - self._clock.monotonic()
            if left <= 0:
                break
            try:
                status, answer, code = self._exchange(host, parameters, body, deadline)
            except httpx.InvalidURL as error:
                raise SessionStoreError(f"{self.target} cannot be asked: {error}.") from error
            except httpx.ReadTimeout as error:
                raise SessionStoreError(
                    f"{self.target} did not answer within {self.timeout_seconds:g} s; look at its "
                    "system.processes, or set timeout_seconds in its URL."
                ) from error
            except httpx.HTTPError as error:
                reason = error
                continue
            self._preferred = host
            if status == 200:
                return answer
            raise self._error(status, answer, code)
        told = (str(reason) or type(reason).__name__) if reason else "it did not answer in time"
        raise SessionStoreError(f"{self.target} cannot be reached: {told}.") from reason

    def _exchange(
        self, host: int, parameters: Settings, body: Sequence[bytes], deadline: float
    ) -> tuple[int, bytes, str | None]:
        import httpx

        left = deadline - self._clock.monotonic()
        with self._connections().stream(
            "POST",
            self._hosts[host],
            params={"max_execution_time": max(1, int(left)), **parameters},
            content=body[0] if len(body) == 1 else b"".join(body),
            timeout=httpx.Timeout(left, connect=min(left, _CONNECT_SECONDS)),
        ) as response:
            pieces = []
            for piece in response.iter_raw():
                pieces.append(piece)
                if self._clock.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer takes too long")
            code = response.headers.get("X-ClickHouse-Exception-Code")
            return response.status_code, b"".join(pieces), code

    def _hosts_to_try(self) -> Iterator[int]:
        """Yield the host that answered last, twice for a connection that had died, and the rest."""
        first = self._preferred
        yield first
        yield first
        yield from (host for host in range(len(self._hosts)) if host != first)

    def _connections(self) -> httpx.Client:
        self.check_open()
        client = self._client
        if client is not None and self._pid == os.getpid():
            return client
        import httpx  # heavy; only a service with ClickHouse needs it

        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._pid = os.getpid()
                self._client = httpx.Client(
                    auth=self._login,
                    limits=httpx.Limits(
                        max_connections=_CONNECTIONS,
                        max_keepalive_connections=_CONNECTIONS,
                        keepalive_expiry=_KEEPALIVE_SECONDS,
                    ),
                    trust_env=False,
                )
            return self._client

    def _error(self, status: int, answer: bytes, code: str | None) -> ClickHouseError:
        said = answer[:2000].decode(errors="replace").strip()
        found = re.search(r"Code: (\d+)", said)
        number = int(code or (found[1] if found else 0))
        if number in _REFUSED_CODES or status in (401, 403):
            said = "it refuses the user or the password, or what the user may do"
        error = ClickHouseError(
            f"{self.target} refused with code {number} (HTTP {status}): {said[:400]}", number
        )
        if number in _BUSY_CODES:
            error.retry_after_seconds = _BUSY_PAUSE_SECONDS
        return error


def _without_secrets(parts: SplitResult) -> str:
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    cluster = dict(parse_qsl(parts.query)).get("cluster")
    return f"{place}?cluster={cluster}" if cluster else place


def _has_port(host: str) -> bool:
    return re.search(r":\d+$", host) is not None


def _number(options: Mapping[str, str], option: str, default: int) -> int:
    value = options.get(option, str(default))
    if not value.isascii() or not value.isdigit() or (option in options and int(value) < 1):
        raise SettingsError(f"{option}={value!r} in a ClickHouse URL is no whole number above 0.")
    return int(value)
