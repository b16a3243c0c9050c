"""What was measured but is still on its way from a device.

A training thread must not wait for a GPU. So it starts a copy, hands over a :class:`Deferred`, and
goes on; the shipper's thread looks which copies have arrived and journals what they say. Until then
a measurement lives in memory alone: it is what a SIGKILL can take, usually a fifth of a second's
worth.
"""

from __future__ import annotations

import threading
from collections import deque

from quark.pipeline.faults import FaultLog

#: What may wait at once. Beyond it new measurements are refused (and counted), not the training
#: slowed down.
MAX_WAITING_BYTES = 256 * 1024 * 1024


class Deferred:
    """Something that becomes records later. Subclasses say when and how."""

    #: For the count of losses: the kind of what it will become.
    what = "measurement"
    #: Whether what waits for it raises a fault of :meth:`resolve`; None: as the run is strict.
    strict: bool | None = None
    #: How many records it will become, for the count of losses.
    record_count = 1

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = max(1, size_bytes)
        self._once = threading.RLock()
        self._resolved = False

    def ready(self) -> bool:
        """Say whether :meth:`resolve` would not have to wait. Never waits itself."""
        return True

    def resolve(self) -> None:
        """Journal what was measured, waiting for it if need be; a second call does nothing."""
        with self._once:
            if not self._resolved:
                self._resolved = True
                self._journal()

    def prepare(self) -> None:
        """Do ahead of its turn what may be: for a thread that has to wait anyway. Does nothing
        while another thread is at it."""
        if self._once.acquire(blocking=False):
            try:
                if not self._resolved:
                    self._prepare()
            finally:
                self._once.release()

    def _prepare(self) -> None:
        """Do a part of the work. What fails here fails again, and is told, in its turn."""

    def _journal(self) -> None:
        raise NotImplementedError


class DeferredQueue:
    """Resolves in the order of :meth:`add`. Any thread may add; one at a time resolves."""

    def __init__(self, faults: FaultLog, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._faults = faults
        self._max_bytes = max_bytes
        self._waiting: deque[Deferred] = deque()
        self._waiting_bytes = 0
        self._count_lock = threading.RLock()
        self._lock = threading.RLock()  # reentrant: a signal handler may end the run
        self._failed: Exception | None = None  # for the next drain to raise
        self.closed = False

    def add(self, work: Deferred) -> bool:
        """Take ``work``; False if too much waits already, or after :meth:`close`."""
        with self._count_lock:
            too_much = (
                self._waiting_bytes and self._waiting_bytes + work.size_bytes > self._max_bytes
            )
            if self.closed or too_much:
                return False
            self._waiting_bytes += work.size_bytes
            self._waiting.append(work)
        return True

    def do(self, work: Deferred) -> None:
        """Resolve ``work`` here and now, after all that waits."""
        with self._lock:
            self.work()
            self._attempt(work)

    def work(self) -> None:
        """Resolve what is ready, up to the first that is not. Called in the background."""
        with self._lock:
            while self._waiting and self._waiting[0].ready():
                self._resolve(self._waiting.popleft())

    def drain(self) -> None:
        """Resolve everything, waiting for it.

        Raises:
            Exception: What a measurement failed with, here or before in the background, if that
                is strict. Everything else is resolved first.
        """
        if self._waiting_bytes:
            with self._lock:
                while self._waiting:
                    self._resolve(self._waiting.popleft())
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Refuse what comes from now on, and :meth:`drain` what came before."""
        with self._count_lock:
            self.closed = True
        self.drain()

    def _resolve(self, work: Deferred) -> None:
        try:
            self._attempt(work)
        finally:
            with self._count_lock:
                self._waiting_bytes -= work.size_bytes

    def _attempt(self, work: Deferred) -> None:
        try:
            work.resolve()
        except Exception as error:
            self._faults.record(f"a {work.what} could not be resolved", error, strict=False)
            if self._faults.strict if work.strict is None else work.strict:
                self._failed = self._failed or error
