"""How much one key may have going on at once, so that there is room for others."""

from __future__ import annotations

from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from quark.service.guards.answers import answer
from quark.service.guards.door import CALLER


class BusyGuard:
    """Puts a key off that has ``max_requests_per_key`` requests in this process already."""

    def __init__(self, app: ASGIApp, *, max_requests_per_key: int) -> None:
        self._app = app
        self._max = max_requests_per_key
        self._running: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = scope.get(CALLER)
        if caller is None:
            await self._app(scope, receive, send)
            return
        key_id = caller.key_id
        if self._running[key_id] >= self._max:
            message = f"The user key {key_id} has {self._max} requests going on already."
            response = answer(429, "SessionStoreError", message, {"Retry-After": "1"})
            await response(scope, receive, send)
            return
        self._running[key_id] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running[key_id] -= 1
            if not self._running[key_id]:
                del self._running[key_id]
