"""Bodies that are too large, too slow or too deep do not get to a route."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from starlette.types import Message, Receive, Scope, Send

from quark import jsonio
from quark.errors import QuarkError
from quark.service.bodies import BodyTooLargeError
from quark.service.guards.body import BodyGuard
from quark.service.guards.door import CALLER
from quark.service.identity.model import Caller, Role, Scope as KeyScope
from quark.service.limits import GuardLimits, SlowBodyError
from tests.support.clock import FakeClock

ANN = Caller(user="ann", key_id="k", workspace="team", role=Role.MEMBER, scope=KeyScope.WRITE)
JSON = [(b"content-type", b"application/vnd.api+JSON; charset=utf-8")]


class Route:
    """Reads the whole body, as a route would."""

    def __init__(self) -> None:
        self.body: bytes | None = None
        self.fault: QuarkError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        try:
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
        except QuarkError as error:
            self.fault = error
            raise
        self.body = body
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})


class Client:
    """Sends a body in pieces; each may take some of the clock's time."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.route = Route()
        self.answers: list[Message] = []

    def send(
        self,
        pieces: Iterable[bytes],
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
        seconds_each: float = 0.0,
        then: Callable[[], Awaitable[Message]] | None = None,
        timeout_seconds: float = 60.0,
        caller: Caller | None = ANN,
    ) -> int:
        guard = BodyGuard(
            self.route,
            clock=self.clock,
            limits=GuardLimits(min_body_bytes_per_second=100, max_json_key_bytes=10),
            max_body_bytes=10_000,
            timeout_seconds=timeout_seconds,
            max_json_depth=64,
        )
        left = [*pieces]

        async def receive() -> Message:
            if not left and then is not None:
                return await then()
            self.clock.advance(seconds_each)
            piece = left.pop(0) if left else b""
            return {"type": "http.request", "body": piece, "more_body": bool(left or then)}

        async def take(message: Message) -> None:
            self.answers.append(message)

        scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": [*headers]}
        if caller is not None:
            scope[CALLER] = caller
        asyncio.run(guard(scope, receive, take))
        return int(self.answers[0]["status"]) if self.answers else 0

    def said(self) -> str:
        return str(jsonio.loads(self.answers[1]["body"])["error"]["message"])


@pytest.fixture
def client() -> Client:
    return Client(FakeClock())


@pytest.mark.parametrize("headers", [[], JSON], ids=["raw", "json"])
def test_a_body_within_the_limits_comes_as_it_was_sent(
    client: Client, headers: list[tuple[bytes, bytes]]
) -> None:
    assert client.send([b"[1", b", 2", b"]"], headers=headers) == 200

    assert client.route.body == b"[1, 2]"


def test_a_body_that_says_it_is_too_large_is_not_read(client: Client) -> None:
    def never() -> Awaitable[Message]:
        raise AssertionError("nothing is to be read")

    assert client.send([], headers=[(b"content-length", b"10001")], then=never) == 413

    assert "10000 bytes" in client.said()
    assert (b"connection", b"close") in client.answers[0]["headers"]


def test_a_body_is_counted_whatever_was_said_of_it(client: Client) -> None:
    pieces = [b" " * 4000] * 3

    assert client.send(pieces, headers=[*JSON, (b"content-length", b"10")]) == 413
    assert client.route.body is None
    with pytest.raises(BodyTooLargeError):
        client.send(pieces)  # the route's own error, which the service answers with 413
    assert isinstance(client.route.fault, BodyTooLargeError)


def test_who_has_no_key_has_little_to_send(client: Client) -> None:
    assert client.send([b" " * 4097], headers=JSON, caller=None) == 413
    assert "4096 bytes" in client.said()
    with pytest.raises(BodyTooLargeError):
        client.send([b" " * 4097], caller=None)
    client.answers.clear()
    assert client.send([b" " * 4096], caller=None) == 200


def test_a_body_that_trickles_is_cut_off(client: Client) -> None:
    # 100 bytes a second are asked for: a byte each 7 s is not that, and 60 s are not extended.
    assert client.send([b"["] * 100, headers=JSON, seconds_each=7.0) == 408
    assert client.clock.monotonic() == pytest.approx(63)
    with pytest.raises(SlowBodyError, match="too slow"):
        client.send([b"["] * 100, seconds_each=7.0)


def test_a_large_body_on_a_slow_line_has_its_time(client: Client) -> None:
    assert client.send([b" " * 900, *[b"1" * 900] * 9], headers=JSON, seconds_each=8.0) == 200

    assert client.clock.monotonic() == pytest.approx(80)


def test_a_body_that_stops_in_the_middle_is_not_waited_for(client: Client) -> None:
    async def nothing() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    assert client.send([b"["], headers=JSON, then=nothing, timeout_seconds=0.05) == 408


def test_who_went_away_is_not_answered(client: Client) -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    assert client.send([b'{"delete'], headers=JSON, then=gone) == 0
    assert client.route.body is None


def test_json_that_nobody_means_is_refused(client: Client) -> None:
    assert client.send([b"[" * 65], headers=JSON) == 422
    assert "deeper than 64" in client.said()
    client.answers.clear()
    assert client.send([b'{"%s": 1}' % (b"a" * 11)], headers=JSON) == 422
    assert "key of more than 10 bytes" in client.said()
    assert client.route.body is None
