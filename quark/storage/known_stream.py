"""A stream that was described before it came, and is not believed until it has ended."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator

from quark.errors import SchemaValidationError


def verified(
    pieces: Iterable[bytes | memoryview], sha256: str, size_bytes: int
) -> Iterator[bytes | memoryview]:
    """Yield what comes, and raise at its end, or as soon as it is too long, if it is not this.

    Raises:
        SchemaValidationError: It has another size, or another SHA-256.

    >>> b"".join(verified([b"wei", b"ghts"], hashlib.sha256(b"weights").hexdigest(), 7))
    b'weights'
    """
    digest, done = hashlib.sha256(), 0
    for piece in pieces:
        done += len(piece)
        if done > size_bytes:
            break
        digest.update(piece)
        yield piece
    if done != size_bytes:
        more = "more than that came" if done > size_bytes else f"only {done} came"
        raise SchemaValidationError(
            f"The payload {sha256} should have {size_bytes} bytes, but {more}; send it again."
        )
    if digest.hexdigest() != sha256:
        raise SchemaValidationError(
            f"The payload {sha256} came as {digest.hexdigest()}: it was changed or damaged on its "
            "way; send it again."
        )


class KnownStream(io.RawIOBase):
    """Reads ``pieces``, whose SHA-256 and size are told in advance; a store may rely on these.

    Who reads to the end is told by an error if they were wrong, so nothing must be kept before.
    """

    def __init__(self, pieces: Iterable[bytes | memoryview], sha256: str, size_bytes: int) -> None:
        super().__init__()
        self.sha256 = sha256
        self.size_bytes = size_bytes
        self._pieces = verified(pieces, sha256, size_bytes)
        self._rest = memoryview(b"")

    def __iter__(self) -> Iterator[bytes | memoryview]:  # type: ignore[override]
        """Yield what is left, in pieces as they come."""
        if self._rest:
            rest, self._rest = self._rest, memoryview(b"")
            yield rest
        yield from self._pieces

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
