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
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

from quark import __version__, jsonio
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import (
    AuthenticationError,
    RunNotFoundError,
    SchemaValidationError,
    SessionStoreError,
)
from quark.persistence.service_url import parse_service_url
from quark.persistence.unreachable import trusted_authorities, unreachable
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

#: What the slowest line on which bodies are waited for carries.
_SLOWEST_BYTES_PER_SECOND = 8 * 1024
_CONNECTIONS = 16
#: A service, or the proxy before it, that may answer soon.
_BUSY = frozenset({429, 502, 503, 504})
_PAUSE_SECONDS = 0.5
#: What may come after the request was carried out; who says 429 has not done it.
_MAY_BE_DONE = _BUSY - {429}
#: Larger bodies go in pieces, so that a slow network is noticed at the deadline.
_PIECE_BYTES = 64 * 1024

Query = Mapping[str, Any] | list[tuple[str, Any]]


class _Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]
    is_second: bool  # the same request went out before, and nobody knows what became of it


class ServiceClient:
    """Talks to one service with one key. Threads may share it; a forked child gets connections of
    its own. Owns its connections.

    Args:
        url: Where the service is; ``?storage_dir=vision/2026`` chooses a store of the workspace.
        user_key: Who asks; it is sent in a header, and is in no message.
        workspace: Whose store it is; by default the key's own.
        timeout_seconds: How long a request may take in all, unless it says otherwise.

    Raises:
        SessionStoreError: The URL cannot be used.
    """

    def __init__(
        self,
        url: str,
        user_key: str | None,
        *,
        workspace: str = OWN_WORKSPACE,
        timeout_seconds: float = 15.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.url = parse_service_url(url)
        self.workspace = workspace
        self._has_key = user_key is not None
        self._headers = {VERSION_HEADER: str(WIRE_VERSION), "User-Agent": f"quark/{__version__}"}
        if user_key is not None:
            self._headers["Authorization"] = f"Bearer {user_key}"
        if self.url.storage_dir is not None:
            self._headers[STORAGE_DIR_HEADER] = quote(self.url.storage_dir, safe="/")
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        # By process, and without a lock, since a fork may happen while another thread holds one.
        self._clients: dict[int, httpx.Client] = {}
        self._closed = False

    @property
    def target(self) -> str:
        """Where the store is, as a URL without secrets."""
        chosen = f"?storage_dir={self.url.storage_dir}" if self.url.storage_dir else ""
        return self.url.base + chosen

    @property
    def timeout_seconds(self) -> float:
        """How long an answer may take."""
        return self._timeout_seconds

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
        return self._decoded(self.request("GET", path, query=query, patient=True))

    def post(self, path: str, value: Any, query: Query | None = None) -> Any:
        """Send ``value`` as JSON and return the decoded JSON of the answer.

        Raises:
            QuarkError: As :meth:`get`.
        """
        body = jsonio.dumps(value)
        return self._decoded(self.request("POST", path, query=query, body=body, patient=True))

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
        removes: bool = False,
        timeout_seconds: float | None = None,
    ) -> bytes:
        """Return the body of a good answer.

        Args:
            patient: Ask a service that is busy again until the deadline, as often as it says.
            removes: Where the request had to be sent again, take it for done if what it removes is
                not there: the answer to the first may have been lost.
            timeout_seconds: How long all of this may take; the client's own limit if None. A body
                has the time that it needs on a slow line besides, as long as it moves.

        Raises:
            QuarkError: What the service says went wrong.
            SessionStoreError: It could not be reached, or did not answer in time.
        """
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        deadline = self._clock.monotonic() + seconds
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
            if len(body) > GZIP_ABOVE_BYTES and not self.url.is_local:
                body = gzip.compress(body, 1, mtime=0)
                headers["Content-Encoding"] = "gzip"
            headers["Content-Length"] = str(len(body))
            # A body that moves all the time must get through a slow line: given up and sent again
            # from its beginning, it never would.
            deadline += len(body) / _SLOWEST_BYTES_PER_SECOND
        may_be_done = False
        while True:
            answer = self._exchange(method, path, query, body, headers, deadline, seconds)
            may_be_done = may_be_done or answer.is_second
            error = self._refusal(answer.status, answer.body, answer.headers)
            if removes and may_be_done and isinstance(error, RunNotFoundError):
                return b""
            if error is None:
                self._check_type(answer, accept)
                return answer.body
            asked = getattr(error, "retry_after_seconds", None)
            pause = _PAUSE_SECONDS if asked is None else max(asked, 0.01)
            late = self._clock.monotonic() + pause >= deadline
            if not patient or answer.status not in _BUSY or late:
                raise error
            may_be_done = may_be_done or answer.status in _MAY_BE_DONE
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
                self.url.base + path,
                params=query,
                content=content,
                headers=dict(headers or {}),
            ) as response:
                if response.status_code >= 300:
                    body = response.read()
                    error = self._refusal(response.status_code, body, response.headers)
                    assert error is not None
                    raise error
                yield response
        except httpx.HTTPError as error:
            raise unreachable(self.target, error) from error

    def check_open(self) -> None:
        """Raise :class:`SessionStoreError` once this was closed."""
        if self._closed:
            raise SessionStoreError(f"The store {self.target} is closed; open a new one.")

    def close(self) -> None:
        """Close all connections. A second call does nothing."""
        self._closed = True
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    # -- one request -----------------------------------------------------------------------------

    def _exchange(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: float,
        stalled_seconds: float,
    ) -> _Answer:
        import httpx

        for attempt in (1, 2):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise self._too_late()
            content: Any = body
            if body is not None and len(body) > _PIECE_BYTES:
                content = self._in_pieces(body, deadline)
            try:
                with self._connections().stream(
                    method,
                    self.url.base + path,
                    params=query,
                    content=content,
                    headers=headers,
                    # The end of a body that was sent may still be on its way through a slow line.
                    timeout=httpx.Timeout(min(left, stalled_seconds), read=left),
                ) as response:
                    pieces = []
                    for piece in response.iter_bytes():
                        pieces.append(piece)
                        self._check_time(deadline)
                    body_there = b"".join(pieces)
                    return _Answer(response.status_code, body_there, response.headers, attempt == 2)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                # A connection that was kept alive may have been closed by the other side.
                if attempt == 2:
                    raise unreachable(self.target, error) from error
            except httpx.TimeoutException as error:
                if isinstance(error, httpx.ConnectTimeout):
                    raise unreachable(self.target, error) from error
                raise self._too_late() from error
            except httpx.HTTPError as error:
                raise unreachable(self.target, error) from error
            except (httpx.InvalidURL, UnicodeError) as error:
                raise SessionStoreError(f"{self.target} cannot be asked: {error}.") from error
        raise AssertionError("unreachable")

    def _in_pieces(self, body: bytes, deadline: float) -> Iterator[bytes]:
        view = memoryview(body)
        for start in range(0, len(body), _PIECE_BYTES):
            self._check_time(deadline)
            yield bytes(view[start : start + _PIECE_BYTES])

    def _check_time(self, deadline: float) -> None:
        if self._clock.monotonic() > deadline:
            raise self._too_late()

    def _connections(self) -> httpx.Client:
        self.check_open()
        client = self._clients.get(os.getpid())
        if client is not None:
            return client
        import httpx  # heavy; who keeps runs locally does without

        made = httpx.Client(
            headers=self._headers,
            timeout=self._timeout_seconds,
            trust_env=not self.url.is_local,  # no proxy leads back to this machine
            verify=trusted_authorities() if self.url.is_encrypted else True,
            limits=httpx.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS
            ),
        )
        client = self._clients.setdefault(os.getpid(), made)
        if client is not made:  # another thread was faster
            made.close()
        return client

    # -- what an answer means ----------------------------------------------------------------------

    def _refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception | None:
        """Return the error that an answer stands for, None if it is a good one."""
        spoken = headers.get(VERSION_HEADER)
        if spoken is not None and spoken != str(WIRE_VERSION):
            return SessionStoreError(
                f"{self.target} speaks version {spoken[:20]!r} of the protocol, this client "
                f"version {WIRE_VERSION}; upgrade the older of the two."
            )
        if status < 300:
            return None
        if status < 400:
            return SessionStoreError(
                f"{self.target} redirects to {_place(headers.get('Location', ''))}, which is not "
                "followed, since the user key would go along. Set QUARK_PERSISTENCE_URL to the "
                "service itself."
            )
        error = error_of(status, body, headers, target=self.target)
        if isinstance(error, AuthenticationError) and not self._has_key:
            return AuthenticationError(
                f"{self.target} wants a user key, and there is none. Set QUARK_USER_KEY to yours."
            )
        return error

    def _check_type(self, answer: _Answer, accept: str) -> None:
        """Refuse what answers everything with 200, such as the page of a login."""
        found = answer.headers.get("Content-Type", "")
        if answer.body and not found.startswith((accept, JSON_TYPE)):
            raise SessionStoreError(
                f"{self.target} answered with {found[:80] or 'something'!r} and not as a Quark "
                "service does. Look whether QUARK_PERSISTENCE_URL is right and what is in between."
            )

    def _decoded(self, body: bytes) -> Any:
        try:
            return jsonio.loads(body)
        except SchemaValidationError as error:
            raise SessionStoreError(f"{self.target} sent an answer that is no JSON.") from error

    def _too_late(self) -> SessionStoreError:
        return SessionStoreError(
            f"{self.target} did not answer in time; QUARK_PERSISTENCE_TIMEOUT_SECONDS is "
            f"{self._timeout_seconds:g}."
        )


def _place(location: str) -> str:
    """Return where a redirect leads, without what may be secret."""
    try:
        parts = urlsplit(location)
        host = parts.hostname or "another path"
    except ValueError:
        return "somewhere else"
    return f"{parts.scheme}://{host}" if parts.scheme and parts.hostname else host
