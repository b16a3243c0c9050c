"""Bodies: how large, how slow, and how deep.

A body is counted as it arrives, whatever was declared of it. JSON is taken in whole and looked at
before a parser sees it; other bodies go on to their route piece by piece, under the same limits.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quark.clock import Clock
from quark.errors import QuarkError
from quark.service.bodies import BodyTooLargeError
from quark.service.guards.answers import answer, refusal
from quark.service.guards.body_bytes import BodyBytes
from quark.service.guards.door import CALLER
from quark.service.json_shape import json_fault
from quark.service.limits import GuardLimits, SlowBodyError

#: The other side may have much more to send; nobody wants to read it.
_CLOSE = {"Connection": "close"}
#: What may come without a user key: nothing that is public needs a body.
_STRANGERS_BYTES = 4096
#: Their bodies are one JSON value each, and may be large.
_DOCUMENTS = "/documents"


class BodyGuard:
    """Refuses bodies that are too large or too slow, and JSON of a shape that nobody means.

    Args:
        max_body_bytes: How large a body may be, as sent.
        timeout_seconds: How long it may take, beyond what its bytes take at
            ``limits.min_body_bytes_per_second``.
        max_json_depth: How deep JSON may nest.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock,
        limits: GuardLimits,
        max_body_bytes: int,
        timeout_seconds: float,
        max_json_depth: int,
    ) -> None:
        self._app = app
        self._clock = clock
        self._limits = limits
        self._max_body_bytes = max_body_bytes
        self._timeout_seconds = timeout_seconds
        self._max_json_depth = max_json_depth
        self._being_read = BodyBytes(limits.max_reading_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = scope.get(CALLER)
        if caller is None:
            body = _Body(self._being_read, "", min(_STRANGERS_BYTES, self._max_body_bytes))
        else:
            body = _Body(self._being_read, caller.key_id, self._max_body_bytes)
        try:
            await self._pass_on(body, scope, receive, send)
        finally:
            body.forget()

    async def _pass_on(self, counted: _Body, scope: Scope, receive: Receive, send: Send) -> None:
        content_type, declared_bytes = _described(scope)
        is_json = b"json" in content_type
        limit_bytes = counted.max_bytes
        if is_json and not scope["path"].endswith(_DOCUMENTS):
            limit_bytes = min(limit_bytes, self._limits.max_json_bytes)
        if declared_bytes > limit_bytes:
            await self._refuse(_too_large(limit_bytes), scope, receive, send)
            return
        guarded = self._guarded(receive, counted, limit_bytes)
        if is_json:
            try:
                body = await _whole(guarded)
            except QuarkError as error:
                await self._refuse(error, scope, receive, send)
                return
            if body is None:
                return  # nobody waits for an answer
            fault = json_fault(
                body,
                max_depth=self._max_json_depth,
                max_key_bytes=self._limits.max_json_key_bytes,
            )
            if fault is not None:
                message = f"The JSON of the request {fault}, which is all that is read."
                await answer(422, "SchemaValidationError", message)(scope, receive, send)
                return
            guarded = _replaying(body, receive)
        await self._app(scope, guarded, send)

    def _guarded(self, receive: Receive, counted: _Body, limit_bytes: int) -> Receive:
        began = self._clock.monotonic()
        done = False

        async def next_message() -> Message:
            nonlocal done
            if done:  # what comes now is that the other side went away
                return await receive()
            size_bytes = counted.size_bytes
            allowed = self._timeout_seconds + size_bytes / self._limits.min_body_bytes_per_second
            left = began + allowed - self._clock.monotonic()
            try:
                if left <= 0:
                    raise TimeoutError
                async with asyncio.timeout(left):
                    message = await receive()
            except TimeoutError:
                raise SlowBodyError(
                    f"The body had {size_bytes} bytes after {allowed:.0f} s, which is too slow. "
                    "Send less at once, or over a better line."
                ) from None
            counted.add(len(message.get("body", b"")))
            if counted.size_bytes > limit_bytes:
                raise _too_large(limit_bytes)
            done = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        return next_message

    async def _refuse(self, error: QuarkError, scope: Scope, receive: Receive, send: Send) -> None:
        response = refusal(error)
        response.headers.update(_CLOSE)
        await response(scope, receive, send)


class _Body:
    """What was read so far of one request's body."""

    def __init__(self, being_read: BodyBytes, key_id: str, max_bytes: int) -> None:
        self._being_read = being_read
        self._key_id = key_id
        self.max_bytes = max_bytes
        self.size_bytes = 0

    def add(self, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        self._being_read.add(self._key_id, size_bytes)

    def forget(self) -> None:
        self._being_read.remove(self._key_id, self.size_bytes)


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"The body is larger than {max_bytes} bytes, which is all that this service takes at once. "
        "Send less in one request."
    )


def _described(scope: Scope) -> tuple[bytes, int]:
    """Return the type and the size that a request declares of its body."""
    content_type, declared = b"", b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value.lower()
        elif name == b"content-length":
            declared = value
    return content_type, int(declared) if declared.isdigit() else 0


async def _whole(receive: Receive) -> bytes | None:
    """Return the body, None if the other side went away."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _replaying(body: bytes, receive: Receive) -> Receive:
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message
