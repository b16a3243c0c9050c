"""The journal of one writer: where everything that is logged goes first, and is then safe.

``append`` does no I/O, never gives up the GIL and takes about a microsecond: it copies bytes into a
mapped file. The page cache outlives the process, so what ``append`` returned for survives SIGKILL,
an out-of-memory kill and a segmentation fault. It does not survive a loss of power before the
kernel wrote it out; ``fsync`` asks for that, batch by batch.

The lock may be taken again by the thread that holds it: a signal handler or a destructor may log
while an append of the same thread is under way. Each append first reserves its place, so a nested
one lands behind it; one that comes while segments are being changed is put off until that is done.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from quark import clock, ids, ui
from quark.pipeline.diagnostics import LossCounter
from quark.pipeline.frames import (
    FRAME_HEADER_BYTES,
    LEAD,
    MARK,
    SEALED,
    Frame,
    SegmentMeta,
    encode_frame,
    frame_crc,
)
from quark.pipeline.journal_config import JournalConfig as JournalConfig
from quark.pipeline.memory_ring import MemoryRing
from quark.pipeline.segment_chain import SegmentChain, Unshipped
from quark.pipeline.segment_file import WritableBytes, WriterLock
from quark.pipeline.troubles import Troubles
from quark.storage.batch import NO_STEP

_LENGTH_AND_CRC = LEAD.size
_seq_of = attrgetter("seq")


class Journal:
    """Keeps frames until they are delivered. Any thread may append; one thread reads.

    Owns its segment files and its writer lock. ``on_trouble`` is told once per reason when frames
    cannot be kept as they should be; ``on_new_writer`` when a forked child has its own files.
    """

    def __init__(
        self,
        folder: Path,
        meta: SegmentMeta,
        config: JournalConfig | None = None,
        *,
        losses: LossCounter | None = None,
        on_trouble: Callable[[str, str], None] | None = None,
        on_new_writer: Callable[[], None] | None = None,
    ) -> None:
        self._folder = folder
        self._meta = meta
        self._config = config or JournalConfig()
        self._troubles = Troubles(folder, losses, on_trouble)
        self._on_new_writer = on_new_writer
        self._reset()
        with self._lock:
            self._open_writer()
        _JOURNALS.add(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._writer_lock: WriterLock | None = None
        self._chain = SegmentChain(self._folder, self._meta, self._config.segment_bytes)
        self._ring: MemoryRing | None = None
        self._buffer: WritableBytes = bytearray()  # type: ignore[assignment]
        self._position = 0
        self._limit = 0  # 0 sends every append the slow way
        self._seq = 0
        self._shipped = 0
        self._closed = False
        self._forked = False
        self._changing = False  # segments are being changed; a nested append must wait
        self._deferred: list[Frame] = []
        self.degraded: str | None = None

    # -- writing ---------------------------------------------------------------------------

    def append(
        self,
        kind: int,
        body: bytes,
        step: int = NO_STEP,
        time_us: int = 0,
        *,
        essential: bool = False,
    ) -> int:
        """Keep one frame; return its seq, or 0 if it was dropped (and counted).

        When this returns a seq, the frame survives the death of the process.
        """
        size = len(body)
        with self._lock:
            position = self._position
            end = position + FRAME_HEADER_BYTES + size
            if end > self._limit:
                return self._append_slowly(kind, body, step, time_us, essential)
            seq = self._seq + 1
            self._seq = seq
            self._position = (end + 7) & -8
            buffer = self._buffer
            sealed = SEALED.pack(
                seq, time_us or clock.wall_time_ns() // 1000, step, kind, 0, MARK, size
            )
            lead = LEAD.pack(size, frame_crc(sealed, body))
            buffer[position + _LENGTH_AND_CRC : end] = sealed + body
            buffer[position : position + _LENGTH_AND_CRC] = lead
        return seq

    def _append_slowly(
        self, kind: int, body: bytes, step: int, time_us: int, essential: bool
    ) -> int:
        if self._changing:
            self._seq = seq = self._seq + 1
            self._deferred.append(_frame(seq, kind, body, step, time_us))
            return seq
        if self._forked:
            self._reopen_after_fork()
        if self._closed:
            self._troubles.lose(kind, body, "closed")
            return 0
        needed = FRAME_HEADER_BYTES + len(body)
        if self._ring is None and self._position + needed > self._limit:
            if (
                not essential
                and self.size_bytes + self._config.segment_bytes > self._config.budget_bytes
            ):
                self._troubles.lose(kind, body, "spool_full")
                return 0
            self._rotate(needed)
        if self._ring is None:
            return self.append(kind, body, step, time_us)
        self._changing = True
        self._seq = seq = self._seq + 1
        try:
            self._keep_in_memory(_frame(seq, kind, body, step, time_us))
            while self._deferred:
                self._place(0)
        finally:
            self._changing = False
        return seq

    def _keep_in_memory(self, frame: Frame) -> None:
        assert self._ring is not None
        for evicted in self._ring.push(frame):
            self._troubles.lose(evicted.kind, evicted.body, "memory_full")

    def _rotate(self, needed: int) -> None:
        """Go on in a fresh segment with room for ``needed`` bytes, or in memory.

        What is nested meanwhile is put off, and written before anything that comes after it.
        """
        self._changing, limit = True, 0
        self._limit = 0
        try:
            limit = self._advance(needed)
            while self._deferred:
                limit = self._place(limit)
        finally:
            # Nothing was called since the last look at what was put off: nothing came between.
            self._changing = False
            self._limit = limit

    def _advance(self, needed: int) -> int:
        """Take a fresh segment and return its size; 0 if there is none, and memory has to do."""
        first_seq = self._deferred[0].seq if self._deferred else self._seq + 1
        try:
            segment = self._chain.advance(first_seq, needed, self._position)
        except OSError as error:
            self._degrade(error)
            return 0
        self._buffer = segment.buffer
        self._position = segment.start
        return segment.size

    def _place(self, limit: int) -> int:
        """Write the first of what was put off, under the number that it was given; return how far
        the segment in use may be written."""
        self._deferred.sort(key=_seq_of)
        frame = self._deferred.pop(0)
        if self._ring is not None:
            self._keep_in_memory(frame)
            return 0
        position, needed = self._position, FRAME_HEADER_BYTES + len(frame.body)
        end = position + needed
        if end > limit:
            self._deferred.insert(0, frame)
            return self._advance(needed)
        self._position = (end + 7) & -8
        written = encode_frame(frame)
        self._buffer[position + _LENGTH_AND_CRC : end] = written[_LENGTH_AND_CRC:]
        self._buffer[position : position + _LENGTH_AND_CRC] = written[:_LENGTH_AND_CRC]
        return limit

    @contextlib.contextmanager
    def _nothing_nested(self) -> Iterator[None]:
        """While this is open, nested appends are put off."""
        before, self._changing = self._changing, True
        self._limit = 0
        try:
            yield
        finally:
            self._changing = before

    def _open_writer(self) -> None:
        with self._nothing_nested():
            try:
                self._take_folder()
            except OSError as error:
                self._degrade(error)
        if self._ring is None:
            self._rotate(0)

    def _take_folder(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._writer_lock is None:
            lock = WriterLock(self._folder / f"{self._meta.writer_id}.lock")
            lock.acquire(make_folder=True)
            self._writer_lock = lock

    def _degrade(self, error: OSError) -> None:
        """Keep what comes in memory from now on."""
        reason = f"{self._folder}: {error.strerror or error}"
        self.degraded = reason
        self._chain.seal(self._position)
        self._ring = self._ring or MemoryRing(self._config.ring_bytes)
        self._limit = 0
        self._troubles.tell(
            "journal_degraded",
            f"cannot write to {reason}. Training goes on; what is logged is kept in memory "
            f"(at most {self._config.ring_bytes >> 20} MiB) until there is room again.",
        )

    # -- delivering (one thread: the shipper) ------------------------------------------------

    def read(self) -> Unshipped:
        """Return the next frames that have not been delivered; none if there are none."""
        part = self._chain.read(lambda: self._position, self._lock)
        if part is not None:
            return part
        if self._ring is None:
            return Unshipped([], None, 0)
        with self._lock:
            return Unshipped(self._ring.peek() if self._ring is not None else [], None, 0)

    def delivered(self, part: Unshipped) -> None:
        """Let go of what :meth:`read` gave: the store has it, or it is in quarantine."""
        if part.frames:
            self._shipped = part.frames[-1].seq
        self._chain.delivered(part)
        if part.segment is None:
            with self._lock:
                if self._ring is not None:
                    self._ring.drop_up_to(self._shipped)

    def maintain(self) -> None:
        """Make the next segment ready ahead of its use, and leave memory when there is room."""
        if self._closed or self._forked:
            return
        if self._ring is not None:
            self._try_to_restore()
            return
        may_grow = self.size_bytes + 2 * self._config.segment_bytes <= self._config.budget_bytes
        self._chain.make_ready(self._position, may_grow=may_grow)

    def _try_to_restore(self) -> None:
        with self._lock:
            ring = self._ring
            if ring is None:
                return
            with self._nothing_nested():
                try:
                    self._take_folder()
                    room = max(self._config.segment_bytes, 2 * ring.size_bytes)
                    self._chain.use_next(self._chain.make(room))
                except OSError:
                    return
                self._deferred = [*ring.peek(), *self._deferred]
                self._ring = None
                self.degraded = None
            self._rotate(0)
        ui.say(f"{self._folder} can be written again; nothing more waits in memory.")

    def sync(self) -> None:
        """Put everything appended so far on the disk, so that it survives a loss of power."""
        self._chain.sync()

    # -- state and end -----------------------------------------------------------------------
    @property
    def writer_id(self) -> str:
        """The id under which frames are journaled; a forked child has its own."""
        if self._forked:
            with self._lock:
                self._reopen_after_fork()
        return self._meta.writer_id

    @property
    def meta(self) -> SegmentMeta:
        """What this writer's segments say of themselves."""
        return self._meta

    @property
    def last_seq(self) -> int:
        """The seq of the latest frame kept, 0 if none."""
        return self._seq

    @property
    def shipped_seq(self) -> int:
        return self._shipped

    @property
    def pending(self) -> int:
        """How many frames have not been delivered."""
        return self._seq - self._shipped

    @property
    def size_bytes(self) -> int:
        """Disk space held by segments in use."""
        return self._chain.size_bytes

    @property
    def folder(self) -> Path:
        return self._folder

    def close(self) -> int:
        """Stop accepting; return how many frames stay undelivered, in files for a later process.

        Files of which everything was delivered are removed. A second call does nothing more.
        """
        with self._lock:
            if not self._closed and not self._forked:
                self._closed, self._limit = True, 0
                self._close_files()
            return self.pending

    def _close_files(self) -> None:
        self._chain.seal(self._position)
        in_memory = self._ring.peek() if self._ring is not None else []
        self._chain.close(keep=self.pending > len(in_memory))
        for frame in in_memory:
            self._troubles.lose(frame.kind, frame.body, "never_written")
        if self._writer_lock is not None:
            self._writer_lock.release(remove=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()  # only if it is empty

    def mark_forked(self) -> None:
        """In a forked child: leave the parent's files alone; the next append opens new ones."""
        if self._closed:
            return
        chain, lock = self._chain, self._writer_lock
        self._reset()
        self._forked = True
        chain.forget_after_fork()
        if lock is not None:
            lock.forget_after_fork()

    def _reopen_after_fork(self) -> None:
        if not self._forked:
            return
        self._forked = False
        self._meta = replace(
            self._meta, writer_id=ids.new_writer_id(), owner=False, pid=os.getpid()
        )
        self._chain = SegmentChain(self._folder, self._meta, self._config.segment_bytes)
        self._open_writer()
        if self._on_new_writer is not None:
            self._on_new_writer()


def _frame(seq: int, kind: int, body: bytes, step: int, time_us: int) -> Frame:
    return Frame(seq, time_us or clock.wall_time_ns() // 1000, step, kind, body)


_JOURNALS: weakref.WeakSet[Journal] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for journal in tuple(_JOURNALS):
        journal.mark_forked()


os.register_at_fork(after_in_child=_after_fork_in_child)
