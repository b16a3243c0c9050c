"""Counts requests by the template of their route, so that a path's names are no labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quark.clock import Clock
from quark.service.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Counts each request when its answer is out.

    Args:
        templates: Gives the path of each route's endpoint as it was declared.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        clock: Clock,
        templates: Callable[[], Mapping[object, str]],
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock
        self._templates = templates
        self._known: dict[tuple[str, object, int], tuple[Any, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = self._clock.monotonic()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            count, seconds = self._labelled(scope["method"], scope.get("endpoint"), status)
            count.inc()
            seconds.observe(self._clock.monotonic() - begin)

    def _labelled(self, method: str, endpoint: object, status: int) -> tuple[Any, Any]:
        method = method if method in _METHODS else "other"
        known = self._known.get((method, endpoint, status))
        if known is None:
            route = self._templates().get(endpoint, "unknown")
            known = self._known[method, endpoint, status] = (
                self._metrics.requests.labels(method, route, str(status)),
                self._metrics.request_seconds.labels(route),
            )
        return known
