"""Several small payloads as one body: of each its SHA-256, its size, and its bytes.

All of them are in the body one after the other; integers are little-endian. What says that it is a
payload is not believed before its bytes were digested.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import IO

from quark.errors import SchemaValidationError
from quark.storage.known_stream import KnownStream

_HEAD = struct.Struct("<32sQ")
_PIECE_BYTES = 1 << 20


def encode_payloads(payloads: Iterable[tuple[str, bytes]]) -> bytes:
    """Return payloads, each with its SHA-256 in hex, as one body."""
    pieces = list[bytes]()
    for sha256, payload in payloads:
        pieces += (_HEAD.pack(bytes.fromhex(sha256), len(payload)), payload)
    return b"".join(pieces)


def decode_payloads(body: IO[bytes], size_bytes: int) -> Iterator[KnownStream]:
    """Yield the payloads of a body, each to be read before the next.

    Raises:
        SchemaValidationError: The body is cut off, or no such body.

    >>> import hashlib, io
    >>> sent = [(hashlib.sha256(text).hexdigest(), text) for text in (b"weights", b"")]
    >>> body = encode_payloads(sent)
    >>> [b"".join(stream) for stream in decode_payloads(io.BytesIO(body), len(body))]
    [b'weights', b'']
    """
    start = 0
    while start < size_bytes:
        body.seek(start)
        head = body.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise _cut_off(start)
        digest, payload_bytes = _HEAD.unpack(head)
        start += _HEAD.size + payload_bytes
        if start > size_bytes:
            raise _cut_off(start)
        yield KnownStream(_pieces(body, payload_bytes), digest.hex(), payload_bytes)


def _pieces(body: IO[bytes], left: int) -> Iterator[bytes]:
    while left:
        piece = body.read(min(left, _PIECE_BYTES))
        left -= len(piece)
        yield piece


def _cut_off(byte: int) -> SchemaValidationError:
    return SchemaValidationError(
        f"The body of payloads ends before byte {byte}, which it must have: it was cut off, or is "
        "no such body. Send it again."
    )
