"""The door: nobody comes to a route without a good user key, but to the few that are public.

It stands before the routes, so that one that forgets to ask for a key is closed, not open, and
that nothing of a stranger's request is read but its headers.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable

from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from quark.clock import Clock
from quark.errors import AuthenticationError, PermissionDeniedError, QuarkError
from quark.service.guards.answers import answer, refusal
from quark.service.guards.page_requests import is_page, is_view, session_text
from quark.service.identity.authentication import KeyRefusedError
from quark.service.identity.engine import Identity
from quark.service.identity.model import Actor, Caller
from quark.service.limits import GuardLimits
from quark.service.rates import TokenBuckets

#: Where the caller is found in a request's scope behind the door.
CALLER = "quark.caller"
#: Set in the scope of a request that was let in by a session's cookie.
BY_COOKIE = "quark.by_cookie"

PUBLIC_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json", "/docs"})

_NO_KEY = (
    "No user key was given. Set QUARK_USER_KEY, or send the header 'Authorization: Bearer qk_…'."
)
_NOT_SIGNED_IN = "Nobody is signed in here. Sign in with a user key."
_SESSION_OVER = "The session is over. Sign in again with a user key."


class Door:
    """Lets requests through whose key is good, and notes those that are not.

    Whoever fails too often from one address is put off, except with keys that were good before:
    one forgotten job with an old key must not lock out all the others behind the same address.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        identity: Callable[[], Identity],
        clock: Clock,
        limits: GuardLimits,
        public_paths: frozenset[str] = PUBLIC_PATHS,
    ) -> None:
        self._app = app
        self._identity = identity
        self._public_paths = public_paths
        self._failures = TokenBuckets(
            clock, burst=limits.failed_keys_burst, per_second=limits.failed_keys_per_second
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_public = scope.get("path") in self._public_paths or is_page(scope)
        if scope["type"] == "lifespan" or is_public:
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            scope[CALLER] = await self._caller(scope)
        except _PutOffError as put_off:
            pause = str(math.ceil(put_off.seconds))
            message = (
                "Too many user keys from this address were refused. Look at the key that you "
                f"use, and try again in {pause} s."
            )
            response = answer(429, "SessionStoreError", message, {"Retry-After": pause})
            await response(scope, receive, send)
            return
        except QuarkError as error:
            await refusal(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller:
        by_cookie = is_view(scope) and not any(
            name == b"authorization" for name, _ in scope["headers"]
        )
        text = session_text(scope) if by_cookie else bearer_text(scope)
        if text is None:
            raise AuthenticationError(_NOT_SIGNED_IN if by_cookie else _NO_KEY)
        scope[BY_COOKIE] = by_cookie
        identity = self._identity()
        caller = identity.remembered(text)
        if caller is not None:
            return caller
        address = address_of(scope)
        network = _network(address)
        wait_seconds = self._failures.wait_seconds(network)
        if wait_seconds > 0 and not identity.was_good(text):
            raise _PutOffError(wait_seconds)
        try:
            return await run_in_threadpool(identity.authenticate, text)
        except AuthenticationError as error:
            is_over = by_cookie and isinstance(error, KeyRefusedError)
            if not is_over:  # pages that stayed open overnight are not somebody who guesses
                self._failures.take(network)
            await run_in_threadpool(_note_refusal, identity, scope, error)
            if by_cookie:
                raise AuthenticationError(_SESSION_OVER) from error
            raise


class _PutOffError(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def bearer_text(scope: Scope) -> str | None:
    """Return the key that a request gives, None if none or several."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, text = given[0].partition(b" ")
    text = text.strip()
    return text.decode("latin-1") if scheme.lower() == b"bearer" and text else None


def address_of(scope: Scope) -> str:
    """Return where a request comes from; behind a proxy that is trusted, what the proxy says."""
    client = scope.get("client")
    return client[0] if client else "unknown"


def actor_of(scope: Scope) -> Actor:
    """Return who asks, for the audit log."""
    caller: Caller | None = scope.get(CALLER)
    return Actor(
        user="unknown" if caller is None else caller.user,
        key_id=None if caller is None else caller.key_id,
        address=address_of(scope),
        request_id=scope.get("quark.request_id"),
    )


def refused(reason: str, message: str, identity: Identity, scope: Scope) -> PermissionDeniedError:
    """Note that a caller was refused, and return the error that says so."""
    caller: Caller = scope[CALLER]
    identity.audit.record_denial(
        actor_of(scope), reason=reason, workspace=caller.workspace, detail=_what(scope)
    )
    return PermissionDeniedError(message)


def _note_refusal(identity: Identity, scope: Scope, error: AuthenticationError) -> None:
    by = actor_of(scope)
    if isinstance(error, KeyRefusedError):
        by = Actor(
            user=error.user, key_id=error.key_id, address=by.address, request_id=by.request_id
        )
        identity.audit.record_denial(
            by, reason="key refused", workspace=error.workspace, detail=_what(scope)
        )
    else:
        identity.audit.record_denial(by, reason="no valid key", detail=_what(scope))


def _what(scope: Scope) -> dict[str, str]:
    return {"method": scope["method"][:16], "path": scope["path"][:200]}


def _network(address: str) -> str:
    """Return what one client may choose addresses in: IPv6 hands out 2^64 of them.

    >>> _network("2001:db8::1"), _network("2001:0db8:0:0:1::2"), _network("::ffff:192.0.2.1")
    ('2001:db8::/64', '2001:db8::/64', '192.0.2.1')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address  # such as a unix socket's
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
