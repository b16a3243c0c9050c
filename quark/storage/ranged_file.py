"""Something far away that can be asked for in ranges, as a file that is read.

It is asked for in ranges, small ones at first and larger ones while it is read on, so that a look
at its end costs little and no request lasts long. A place that gives only what is whole is read
from the beginning once more, and what is before the place is skipped.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Protocol

from quark.errors import SessionStoreError

_FIRST_BYTES = 256 * 1024
_MOST_BYTES = 8 << 20


class RangeSource(Protocol):
    """Where the bytes come from; ``target`` names it in messages. What is not there, or not there
    any more, is a :class:`KeyError`."""

    target: str

    def range(self, key: str, start: int, size_bytes: int) -> bytes | None:
        """Return so many bytes from ``start`` on; None if only all of it can be had."""
        ...

    def stream(self, key: str) -> Iterator[bytes]:
        """Yield all of it."""
        ...


class RangedFile(io.RawIOBase):
    """Reads ``size_bytes`` of ``source`` in constant memory. Not for several threads at once.

    ``first``: its beginning, if that is here already.
    """

    def __init__(self, source: RangeSource, key: str, size_bytes: int, first: bytes = b"") -> None:
        super().__init__()
        self._source = source
        self._key = key
        self._size_bytes = size_bytes
        self._position = 0
        self._window = memoryview(first)  # what was fetched, from ``_window_start`` on
        self._window_start = 0
        self._next_bytes = _FIRST_BYTES
        self._whole: Iterator[bytes] | None = None  # a store without ranges: what is left of it

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[whence]
        if start + offset < 0:
            raise ValueError(f"A file has no place {start + offset}; the first is 0.")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self._position >= self._size_bytes or not target:
            return 0
        begin = self._position - self._window_start
        if not 0 <= begin < len(self._window):
            self._fetch(len(target))
            begin = self._position - self._window_start
        piece = self._window[begin : begin + len(target)]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _fetch(self, wanted_bytes: int) -> None:
        """Have the window begin at, or hold, the place that is read next."""
        follows = self._position == self._window_start + len(self._window)
        self._next_bytes = min(2 * self._next_bytes, _MOST_BYTES) if follows else _FIRST_BYTES
        count = min(max(self._next_bytes, wanted_bytes), _MOST_BYTES)
        count = min(count, self._size_bytes - self._position)
        try:
            found = None
            if self._whole is None:
                found = self._source.range(self._key, self._position, count)
            if found is None:
                self._read_on()
                return
        except KeyError:
            raise SessionStoreError(
                f"A payload in {self._source.target} was removed while it was read."
            ) from None
        if len(found) != count:
            raise self._cut_off()
        self._window, self._window_start = memoryview(found), self._position

    def _read_on(self) -> None:
        end = self._window_start + len(self._window)
        if self._whole is None or self._position < self._window_start:
            self._whole, end = self._source.stream(self._key), 0
        while True:
            piece = next(self._whole, None)
            if piece is None:
                raise self._cut_off()
            self._window, self._window_start = memoryview(piece), end
            end += len(piece)
            if self._position < end:
                return

    def _cut_off(self) -> SessionStoreError:
        return SessionStoreError(
            f"A payload in {self._source.target} ended before its {self._size_bytes} bytes."
        )
