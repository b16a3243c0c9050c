"""Requests to a Quark service: one pool of connections, deadlines, and errors as the store's own.

Every request may be sent twice without harm, so one that a dying connection swallowed is sent
again at once. Waiting longer than that is left to the caller: a shipper waits for ever, a reader
gives up at its deadline.
"""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from quark import __version__, jsonio
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SessionStoreError
from quark.persistence.wire import (
    API_PREFIX,
    GZIP_ABOVE_BYTES,
    JSON_TYPE,
    OWN_WORKSPACE,
    STORAGE_DIR_HEADER,
    VERSION_HEADER,
    WIRE_VERSION,
    error_of,
)

if TYPE_CHECKING:
    import httpx

_CONNECTIONS = 16
_BUSY = frozenset({429, 503})
#: Hosts to which compressing would cost more time than it saves.
_NEAR = frozenset({"localhost", "127.0.0.1", "::1"})

Query = Mapping[str, Any] | list[tuple[str, Any]]


class ServiceClient:
    """Talks to one service with one key. Threads may share it; a forked child gets connections of
    its own. Owns its connections."""

    def __init__(
        self,
        url: str,
        user_key: str | None,
        *,
        workspace: str = OWN_WORKSPACE,
        timeout_seconds: float = 15.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        parts = urlsplit(url)
        self._base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        self.target = f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
        self.workspace = workspace
        self._near = host in _NEAR
        self._headers = {VERSION_HEADER: str(WIRE_VERSION), "User-Agent": f"quark/{__version__}"}
        if user_key is not None:
            self._headers["Authorization"] = f"Bearer {user_key}"
        storage_dir = parse_qs(parts.query).get("storage_dir")
        if storage_dir:
            self._headers[STORAGE_DIR_HEADER] = quote(storage_dir[0], safe="/")
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._pid = os.getpid()
        self._closed = False

    def path(self, *parts: str) -> str:
        """Return the path of something in the workspace; every part is escaped.

        >>> ServiceClient("http://localhost", None).path("runs", "a b")
        '/api/v1/workspaces/-/runs/a%20b'
        """
        escaped = (quote(part, safe="") for part in ("workspaces", self.workspace, *parts))
        return f"{API_PREFIX}/{'/'.join(escaped)}"

    def get(self, path: str, query: Query | None = None) -> Any:
        """Return the decoded JSON of an answer; a service that is busy is asked again.

        Raises:
            QuarkError: What the service says went wrong.
            SessionStoreError: It could not be reached, or did not answer in time.
        """
        return jsonio.loads(self.request("GET", path, query=query, patient=True))

    def post(self, path: str, value: Any, query: Query | None = None) -> Any:
        """Send ``value`` as JSON and return the decoded JSON of the answer.

        Raises:
            QuarkError: As :meth:`get`.
        """
        body = jsonio.dumps(value)
        return jsonio.loads(self.request("POST", path, query=query, body=body, patient=True))

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes | None = None,
        content_type: str = JSON_TYPE,
        accept: str = JSON_TYPE,
        patient: bool = False,
        timeout_seconds: float | None = None,
    ) -> bytes:
        """Return the body of a good answer.

        Args:
            patient: Ask a service that is busy again until the deadline, as often as it says.
            timeout_seconds: How long all of this may take; the client's own limit if None.

        Raises:
            QuarkError: What the service says went wrong.
            SessionStoreError: It could not be reached, or did not answer in time.
        """
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        deadline = self._clock.monotonic() + seconds
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
            if len(body) > GZIP_ABOVE_BYTES and not self._near:
                body = gzip.compress(body, 1)
                headers["Content-Encoding"] = "gzip"
        while True:
            status, answer, answer_headers = self._exchange(
                method, path, query, body, headers, deadline
            )
            if status < 400:
                return answer
            error = error_of(status, answer, answer_headers, target=self.target)
            pause = getattr(error, "retry_after_seconds", None) or 0.5
            if not patient or status not in _BUSY or self._clock.monotonic() + pause >= deadline:
                raise error
            threading.Event().wait(pause)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[httpx.Response]:
        """Give an answer whose body has not been read; its status was looked at.

        There is no deadline for all of it, only for each wait.

        Raises:
            QuarkError: What the service says went wrong.
            SessionStoreError: It could not be reached, or did not answer in time.
        """
        import httpx

        try:
            with self._connections().stream(
                method,
                self._base + path,
                params=query,
                content=content,
                headers=dict(headers or {}),
            ) as response:
                if response.status_code >= 400:
                    body = response.read()
                    raise error_of(response.status_code, body, response.headers, target=self.target)
                yield response
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def check_open(self) -> None:
        """Raise :class:`SessionStoreError` once this was closed."""
        if self._closed:
            raise SessionStoreError(f"The store {self.target} is closed; open a new one.")

    def close(self) -> None:
        """Close all connections. A second call does nothing."""
        self._closed = True
        with self._lock:
            client, self._client = self._client, None
        if client is not None and self._pid == os.getpid():
            client.close()

    def _exchange(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: float,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        import httpx

        for attempt in (1, 2):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise self._too_late()
            try:
                with self._connections().stream(
                    method,
                    self._base + path,
                    params=query,
                    content=body,
                    headers=headers,
                    timeout=left,
                ) as response:
                    pieces = []
                    for piece in response.iter_bytes():
                        pieces.append(piece)
                        if self._clock.monotonic() > deadline:
                            raise self._too_late()
                    return response.status_code, b"".join(pieces), response.headers
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                # A connection that was kept alive may have been closed by the other side.
                if attempt == 2:
                    raise self._unreachable(error) from error
            except httpx.HTTPError as error:
                raise self._unreachable(error) from error
            except httpx.InvalidURL as error:
                raise SessionStoreError(f"{self.target} cannot be asked: {error}.") from error
        raise AssertionError("unreachable")

    def _connections(self) -> httpx.Client:
        self.check_open()
        client = self._client
        if client is not None and self._pid == os.getpid():
            return client
        import httpx  # heavy; who keeps runs locally does without

        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._pid = os.getpid()
                self._client = httpx.Client(
                    headers=self._headers,
                    timeout=self._timeout_seconds,
                    limits=httpx.Limits(
                        max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS
                    ),
                )
            return self._client

    def _unreachable(self, error: Exception) -> SessionStoreError:
        reason = str(error) or type(error).__name__
        return SessionStoreError(
            f"{self.target} cannot be reached: {reason}. Look whether QUARK_PERSISTENCE_URL is "
            "right and the service runs."
        )

    def _too_late(self) -> SessionStoreError:
        return SessionStoreError(
            f"{self.target} did not answer in time; QUARK_PERSISTENCE_TIMEOUT_SECONDS is "
            f"{self._timeout_seconds:g}."
        )
