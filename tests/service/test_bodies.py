"""Bodies of requests: what is read of them, and where it stops."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterable

import pytest

from quark.errors import RecordRejectedError, SessionStoreError
from quark.service.bodies import BodyTooLargeError, read_raw, unpacked


class Sender:
    """Gives pieces of a body as a server would, and counts those that were asked for."""

    def __init__(self, pieces: Iterable[bytes], *, leaves: bool = False) -> None:
        self.asked = 0
        self._pieces = list(pieces)
        self._leaves = leaves

    async def receive(self) -> dict[str, object]:
        self.asked += 1
        if self._pieces:
            body = self._pieces.pop(0)
            more = bool(self._pieces) or self._leaves
            return {"type": "http.request", "body": body, "more_body": more}
        return {"type": "http.disconnect"}


def read(
    sender: Sender, headers: dict[bytes, bytes] | None = None, limit_bytes: int = 100
) -> tuple[bytes, bool]:
    return asyncio.run(read_raw(headers or {}, sender.receive, limit_bytes))


@pytest.mark.parametrize("pieces", [[b""], [b"abc"], [b"a", b"", b"bc"], [b"x" * 100]])
def test_a_body_is_the_sum_of_its_pieces(pieces: list[bytes]) -> None:
    assert read(Sender(pieces)) == (b"".join(pieces), False)


def test_a_body_that_says_that_it_is_too_large_is_not_read_at_all() -> None:
    sender = Sender([b"x"])

    with pytest.raises(BodyTooLargeError, match="100 bytes sent"):
        read(sender, {b"content-length": b"101"})

    assert sender.asked == 0


def test_a_body_that_lies_about_its_size_is_read_up_to_the_limit_only() -> None:
    sender = Sender([b"x" * 60] * 10)

    with pytest.raises(BodyTooLargeError):
        read(sender, {b"content-length": b"60"})

    assert sender.asked == 2


def test_a_sender_that_leaves_is_no_body() -> None:
    with pytest.raises(SessionStoreError, match="gone"):
        read(Sender([b"half"], leaves=True))


def test_a_packing_that_is_not_known_is_refused_and_nothing_read() -> None:
    sender = Sender([b"x"])

    with pytest.raises(RecordRejectedError, match="'br'"):
        read(sender, {b"content-encoding": b"br"})

    assert sender.asked == 0
    assert read(Sender([b"x"]), {b"content-encoding": b"GZIP"}) == (b"x", True)


def test_what_was_packed_comes_out_up_to_the_limit() -> None:
    content = bytes(range(256)) * 40

    assert unpacked(gzip.compress(content), len(content)) == content
    with pytest.raises(BodyTooLargeError, match="unpacked"):
        unpacked(gzip.compress(content), len(content) - 1)


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)

    with pytest.raises(BodyTooLargeError):
        unpacked(bomb, 1000)

    assert len(bomb) < 100_000


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no gzip", id="something-else"),
        pytest.param(gzip.compress(b"abc")[:-3], id="cut-off"),
        pytest.param(gzip.compress(b"abc") + b"more", id="something-behind"),
        pytest.param(gzip.compress(b"abc") * 2, id="twice"),
        pytest.param(zlib.compress(b"abc"), id="zlib"),
        pytest.param(gzip.compress(b"abc")[:-8] + bytes(8), id="wrong-checksum"),
    ],
)
def test_what_is_damaged_is_refused(body: bytes) -> None:
    with pytest.raises(RecordRejectedError):
        unpacked(body, 1000)
