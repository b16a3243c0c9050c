"""The segments of one writer, oldest first: written at one end, delivered from the other.

The journal writes under its lock; one other thread reads. Reading takes no lock in the common case:
a rotation sets the ``end`` of the old segment before it changes anything else, so the reader always
knows how far it may go.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from quark.pipeline.frames import Frame, FrameScan, SegmentMeta, aligned, encode_segment_header
from quark.pipeline.segment_file import SegmentFile

_PREFAULT_AHEAD_BYTES = 512 * 1024
_READ_PIECE_BYTES = 1024 * 1024
_HEADER_ROOM = 4096


@dataclass(frozen=True, slots=True)
class Unshipped:
    """Frames as read for delivery, and how far they reach; ``segment`` is None for memory."""

    frames: list[Frame]
    segment: SegmentFile | None
    end: int
    damaged: int = 0


class SegmentChain:
    """Owns the segment files of one writer."""

    def __init__(self, folder: Path, meta: SegmentMeta, segment_bytes: int) -> None:
        self._folder = folder
        self._meta = meta
        self._segment_bytes = segment_bytes
        self._segments: deque[SegmentFile] = deque()
        self._ready: SegmentFile | None = None
        self._read_at = 0
        self._numbers = itertools.count()  # two threads make segments; ``next`` is atomic

    # -- the journal's end, under its lock -----------------------------------------------------

    def advance(self, first_seq: int, needed: int, used: int) -> SegmentFile:
        """Go on in a fresh segment with room for ``needed`` bytes; the old one ends at ``used``.

        Raises:
            OSError: There is no room, or the folder cannot be written. Nothing has changed then.
        """
        segment, self._ready = self._ready, None
        if segment is not None and segment.size < needed + _HEADER_ROOM:
            segment.remove()
            segment = None
        if segment is None:
            segment = self.make(max(self._segment_bytes, aligned(needed + _HEADER_ROOM)))
        header = encode_segment_header(self._meta, first_seq)
        segment.buffer[0 : len(header)] = header
        segment.start = len(header)
        if self._segments:
            self.seal(used)
        else:
            self._read_at = segment.start
        self._segments.append(segment)
        return segment

    def make(self, size: int) -> SegmentFile:
        """Make a segment file that is not in use yet.

        Raises:
            OSError: There is no room, or the folder cannot be written.
        """
        path = self._folder / f"{self._meta.writer_id}-{next(self._numbers)}.qj"
        return SegmentFile(path, size)

    def use_next(self, segment: SegmentFile) -> None:
        """Have ``segment`` taken by the next :meth:`advance`."""
        unused, self._ready = self._ready, segment
        if unused is not None:
            unused.remove()

    def seal(self, used: int) -> None:
        """Say that the newest segment ends at ``used``."""
        if self._segments and not self._segments[-1].end:
            self._segments[-1].end = used

    @property
    def size_bytes(self) -> int:
        """Disk space held by segments in use."""
        return sum(segment.size for segment in tuple(self._segments))

    def make_ready(self, position: int, *, may_grow: bool) -> None:
        """Fault in what is written next; past the half, make the next segment. Any thread."""
        if not self._segments:
            return
        current = self._segments[-1]
        current.prefault(position + _PREFAULT_AHEAD_BYTES)
        if self._ready is not None or not may_grow or position <= current.size // 2:
            return
        try:
            ready = self.make(self._segment_bytes)
        except OSError:
            return  # the append that needs it will say so
        ready.prefault(_PREFAULT_AHEAD_BYTES)
        self._ready = ready

    def sync(self) -> None:
        """Put every segment on the disk, so that it survives a loss of power."""
        for segment in tuple(self._segments):
            segment.sync()

    def close(self, *, keep: bool) -> None:
        """Close all files; they are cut to what was used if they are to be kept, else removed."""
        if self._ready is not None:
            self._ready.remove()
            self._ready = None
        for segment in self._segments:
            if not keep:
                segment.remove()
                continue
            segment.close()
            with contextlib.suppress(OSError):
                os.truncate(segment.path, segment.end)
        self._segments.clear()

    def forget_after_fork(self) -> None:
        """In a forked child: unmap what was inherited; the files are the parent's."""
        for segment in (*self._segments, *filter(None, [self._ready])):
            segment.close()

    # -- the shipper's end ---------------------------------------------------------------------

    def read(self, position: Callable[[], int], lock: AbstractLock) -> Unshipped | None:
        """Return the next frames; None if there are none. ``position`` is where the journal is."""
        while self._segments:
            segment = self._segments[0]
            written = position()  # before ``end``: see the module's text
            end = segment.end or written
            if self._read_at < end:
                return self._read_segment(segment, end, lock)
            if not segment.end or not self._leave(segment):
                return None
        return None

    def _read_segment(self, segment: SegmentFile, end: int, lock: AbstractLock) -> Unshipped:
        stop = min(end, self._read_at + _READ_PIECE_BYTES)
        scan = FrameScan(bytes(segment.buffer[self._read_at : stop]), live=True)
        frames = list(scan.frames())
        if not frames and stop < end:
            scan = FrameScan(bytes(segment.buffer[self._read_at : end]), live=True)
            frames = list(scan.frames())
        if not frames and lock.acquire(timeout=0.05):
            # Nobody is writing, so what cannot be read will never become readable.
            lock.release()
            scan = FrameScan(bytes(segment.buffer[self._read_at : end]))
            frames = list(scan.frames())
            if not frames:
                return Unshipped([], segment, end, max(1, scan.damaged))
        return Unshipped(frames, segment, self._read_at + scan.end, scan.damaged)

    def delivered(self, part: Unshipped) -> None:
        """Let go of what :meth:`read` gave."""
        if part.segment is None:
            return
        self._read_at = part.end
        if part.segment.end and self._read_at >= part.segment.end:
            self._leave(part.segment)

    def _leave(self, segment: SegmentFile) -> bool:
        """Remove a segment that was delivered whole; the newest one stays."""
        if len(self._segments) < 2:
            return False
        self._segments.popleft()
        segment.remove()
        self._read_at = self._segments[0].start
        return True


class AbstractLock(Protocol):
    """What the reader needs of the journal's lock."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...

    def release(self) -> None: ...
