"""The only place that starts threads.

A :class:`BackgroundWorker` has one owner: the object that made it, which also closes it. It is a
daemon, so it never keeps an interpreter alive, and it starts at the first ``wake`` or ``start``, so
that a forked child that uses nothing gets no thread.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable

from quark.pipeline.faults import FaultLog

#: Of 0 to 19; what is nicer gets less. At 10 it is still a tenth of a core on a busy machine.
_NICENESS = 10


class _Bell:
    """An event that a signal handler may set in the middle of its being set. ``threading.Event``
    would wait for itself there, and the process would not end."""

    def __init__(self) -> None:
        self._rung = threading.Condition(threading.RLock())
        self._is_set = False

    def set(self) -> None:
        with self._rung:
            self._is_set = True
            self._rung.notify_all()

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout_seconds: float) -> None:
        with self._rung:
            if not self._is_set:
                self._rung.wait(timeout_seconds)


class BackgroundWorker:
    """Calls ``work`` every ``interval_seconds`` and whenever it is woken, on its own thread.

    What ``work`` raises is caught here, logged once per cause and counted in ``faults``; the next
    call is made as if nothing had happened.
    """

    def __init__(
        self, work: Callable[[], None], *, name: str, interval_seconds: float, faults: FaultLog
    ) -> None:
        self._work = work
        self._name = name
        self._interval_seconds = interval_seconds
        self._faults = faults
        self._wake = _Bell()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._starting = threading.RLock()  # reentrant: a signal handler may wake

    @property
    def running(self) -> bool:
        return self._thread is not None and self._pid == os.getpid() and self._thread.is_alive()

    @property
    def is_this_thread(self) -> bool:
        """Say whether the caller runs on this worker's thread."""
        return self._thread is threading.current_thread()

    def start(self) -> None:
        """Start the thread if it is not running. After a fork the child gets its own."""
        if self.running or self._closing:
            return
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._wake = _Bell()
            self._starting = threading.RLock()
        with self._starting:
            if self.running or self._closing:
                return  # another thread was faster
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:  # the interpreter is going down, or no threads are left
                self._thread = None
                self._faults.record(f"{self._name} could not start", error)

    def wake(self) -> None:
        """Have ``work`` called soon, without waiting for it."""
        self.start()
        self._wake.set()

    def close(self, timeout_seconds: float) -> bool:
        """Stop after the call that is under way; say whether the thread ended in time."""
        self._closing = True
        self._wake.set()
        thread = self._thread
        if thread is None or self._pid != os.getpid() or thread is threading.current_thread():
            return True
        thread.join(timeout_seconds)
        return not thread.is_alive()

    def _run(self) -> None:
        _step_back()
        while not self._closing:
            self._wake.wait(self._interval_seconds)
            self._wake.clear()
            if self._closing:
                return
            try:
                self._work()
            except Exception as error:
                self._faults.record(f"{self._name} failed", error, strict=False)


def _step_back() -> None:
    """Let the threads of a training have the cores first, where a thread can say so of itself.

    With as many threads as cores, one that takes a core for a moment makes all others wait at their
    next barrier. Who waits for this one (for the interpreter's lock, or in ``flush``) does not need
    a core meanwhile, so nothing is held up by it.
    """
    if sys.platform == "linux":  # elsewhere this would mean the whole process
        with contextlib.suppress(OSError):
            own = threading.get_native_id()
            niceness = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, own))
            os.setpriority(os.PRIO_PROCESS, own, niceness)
