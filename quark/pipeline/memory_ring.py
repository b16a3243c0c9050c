"""The last resort when no segment can be made: frames wait in memory, the oldest give way."""

from __future__ import annotations

from collections import deque

from quark.pipeline.frames import FRAME_HEADER_BYTES, Frame


class MemoryRing:
    """A bounded queue of frames. Not thread-safe: the journal's lock guards it."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def push(self, frame: Frame) -> list[Frame]:
        """Add a frame; return those that had to give way, the new one if it alone is too large."""
        self._frames.append(frame)
        self._bytes += _size(frame)
        evicted = []
        while self._bytes > self._max_bytes:
            oldest = self._frames.popleft()
            self._bytes -= _size(oldest)
            evicted.append(oldest)
        return evicted

    def peek(self) -> list[Frame]:
        """Return all frames, oldest first, without taking them out."""
        return list(self._frames)

    def drop_up_to(self, seq: int) -> None:
        """Take out the frames up to ``seq``: they were delivered."""
        while self._frames and self._frames[0].seq <= seq:
            self._bytes -= _size(self._frames.popleft())


def _size(frame: Frame) -> int:
    return FRAME_HEADER_BYTES + len(frame.body)
