"""The outermost guard: names each request, sees to its answer's headers, and writes its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI, routing
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quark.clock import Clock
from quark.ids import random_id
from quark.persistence.wire import REQUEST_ID_HEADER
from quark.service.guards.door import CALLER, address_of
from quark.service.guards.headers import SECURITY_HEADERS
from quark.service.logs import JsonLog

#: Where a request's id is found in its scope.
REQUEST_ID = "quark.request_id"

#: A route that sets this in its scope has no line for what went well.
QUIET = "quark.quiet"

_GIVEN_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_ID_HEADER = REQUEST_ID_HEADER.lower().encode()
#: They are asked every few seconds, for ever.
_QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestLog:
    """Gives each request an id and its answer the headers of all answers, and logs it.

    Args:
        templates: Gives the path of each route's endpoint as it was declared.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        log: Callable[[], JsonLog],
        clock: Clock,
        templates: Callable[[], Mapping[object, str]],
    ) -> None:
        self._app = app
        self._log = log
        self._clock = clock
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock.monotonic()
        request_id = scope[REQUEST_ID] = _request_id(scope)
        status = 500
        received_bytes = sent_bytes = 0

        async def counted_receive() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            return message

        async def dressed_send(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _dressed(message.get("headers", ()), request_id)
            else:
                sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counted_receive, dressed_send)
        finally:
            if status >= 400 or not (scope.get(QUIET) or scope["path"] in _QUIET_PATHS):
                caller = scope.get(CALLER)
                self._log().line(
                    "request",
                    level="error" if status >= 500 else "info",
                    method=scope["method"][:16],
                    route=self._templates().get(scope.get("endpoint"), "unknown"),
                    status=status,
                    ms=round((self._clock.monotonic() - began) * 1000, 3),
                    received_bytes=received_bytes,
                    sent_bytes=sent_bytes,
                    user=None if caller is None else caller.user,
                    key_id=None if caller is None else caller.key_id,
                    workspace=None if caller is None else caller.workspace,
                    address=address_of(scope),
                    request_id=request_id,
                )


def route_templates(app: FastAPI) -> dict[object, str]:
    """Return the declared path of every endpoint of ``app``."""
    # Earlier versions of FastAPI have no such function, and a flat list.
    routes: Callable[..., Iterable[Any]] = getattr(routing, "iter_route_contexts", iter)
    return {
        route.endpoint: route.path
        for route in routes(app.routes)
        if getattr(route, "endpoint", None) is not None
    }


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == _ID_HEADER and _GIVEN_ID.fullmatch(value):
            return str(value.decode())
    return random_id(16)


def _dressed(
    headers: list[tuple[bytes, bytes]] | tuple[()], request_id: str
) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in headers}
    more = [(name, value) for name, value in SECURITY_HEADERS if name not in given]
    return [*headers, *more, (_ID_HEADER, request_id.encode())]
