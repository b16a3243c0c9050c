"""Headers: how many and how large, and those that every answer gets."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from quark.service.guards.answers import answer
from quark.service.limits import GuardLimits

#: What an answer gets if its route does not say otherwise.
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class HeaderGuard:
    """Refuses requests whose headers or address nobody means."""

    def __init__(self, app: ASGIApp, *, limits: GuardLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and self._is_too_much(scope):
            message = (
                f"A request may have {self._limits.max_headers} headers, and with its address "
                f"{self._limits.max_header_bytes} bytes of them."
            )
            response = answer(431, "SessionStoreError", message, {"Connection": "close"})
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_too_much(self, scope: Scope) -> bool:
        headers = scope["headers"]
        size_bytes = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
        size_bytes += sum(len(name) + len(value) for name, value in headers)
        return len(headers) > self._limits.max_headers or (
            size_bytes > self._limits.max_header_bytes
        )
