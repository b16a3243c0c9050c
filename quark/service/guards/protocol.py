"""HTTP on a connection, for clients that never finish what they began.

uvicorn waits for ever for the rest of a header, keeps as much of it as comes, and waits for ever
until somebody reads an answer. Each of these costs a connection and memory to whoever tries it,
so here each has a limit. A reverse proxy in front has such limits too; this is for those without.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quark.service.config import ServiceConfig

#: How long a connection may lie idle; a shipper comes back much sooner.
KEEP_ALIVE_SECONDS = 60
#: How long a connection that was made while the service stops may be silent.
_STOPPING_SECONDS = 1.0


class GuardedHttp(HttpToolsProtocol):
    """One connection. Made by uvicorn; see :func:`uvicorn_options`."""

    header_timeout_seconds: ClassVar[float]
    write_timeout_seconds: ClassVar[float]
    max_header_bytes: ClassVar[int]

    _header_bytes = 0
    _header_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_are_there()
        self._writing_goes_on()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        super().shutdown()
        if is_idle and self.scheme == "https":
            # TLS would wait half a minute for a good-bye that idle clients do not send.
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._header_bytes += len(data)
        super().data_received(data)
        if self._header_timer is not None and self._header_bytes > self.max_header_bytes:
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        self._headers_are_there()
        super().on_headers_complete()
        if self._is_stopping() and self.cycle is not None:
            # uvicorn says good-bye to the connections that it knows when it stops; on one that
            # was just being made, a client could go on asking until the deadline.
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(
                self.write_timeout_seconds, self.transport.abort
            )

    def resume_writing(self) -> None:
        self._writing_goes_on()
        super().resume_writing()

    def _wait_for_headers(self) -> None:
        self._header_bytes = 0
        if self._header_timer is None:
            seconds = self.header_timeout_seconds
            if self._is_stopping():
                seconds = min(seconds, _STOPPING_SECONDS)
            self._header_timer = self.loop.call_later(seconds, self._no_headers_came)

    def _is_stopping(self) -> bool:
        service = getattr(getattr(self.config.app, "state", None), "service", None)
        return service is not None and service.stopping.is_set()

    def _no_headers_came(self) -> None:
        self._header_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_for_headers()  # the request before it is still being answered
        else:
            self.transport.abort()

    def _headers_are_there(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _writing_goes_on(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def uvicorn_options(config: ServiceConfig) -> dict[str, Any]:
    """Return how uvicorn is to be started so that it keeps to the limits and says nothing itself.

    To be given to ``uvicorn.Config(app, host=…, port=…, **uvicorn_options(config))``.
    """
    limits = config.guards

    class Http(GuardedHttp):
        header_timeout_seconds = limits.header_timeout_seconds
        write_timeout_seconds = config.body_timeout_seconds
        # What fits is refused with an answer, by HeaderGuard; far more, without one.
        max_header_bytes = 2 * limits.max_header_bytes

    return {
        "http": Http,
        "ws": "none",
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": int(config.shutdown_timeout_seconds),
    }
