"""What takes long and must not hold up a training, nor the delivery of what it logs.

An image has to be encoded, a file to be hashed and copied: seconds, where a batch of points takes
milliseconds. So payloads have a queue and a thread of their own, which starts with the first of
them. Unlike a measurement, a payload is never dropped: where too much waits already, whoever brings
the next one does the work.
"""

from __future__ import annotations

from quark import ui
from quark.pipeline.deferred import MAX_WAITING_BYTES, Deferred, DeferredQueue
from quark.pipeline.faults import FaultLog
from quark.pipeline.worker import BackgroundWorker

_INTERVAL_SECONDS = 60.0  # it is woken by whoever brings something


class PayloadQueue:
    """Resolves payloads in the background, in order. Owns its worker.

    Any thread may add. In a forked child it begins anew: what waits is the parent's.
    """

    def __init__(self, faults: FaultLog, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._faults = faults
        self._max_bytes = max_bytes
        self._behind_was_said = False
        self._queue = DeferredQueue(faults, max_bytes)
        self._worker: BackgroundWorker | None = None

    def add(self, work: Deferred) -> None:
        """Take ``work``; do it here and now if too much waits, or after :meth:`close`."""
        if self._queue.add(work):
            if self._worker is None:
                self._worker = BackgroundWorker(
                    self._queue.work,
                    name="quark-payloads",
                    interval_seconds=_INTERVAL_SECONDS,
                    faults=self._faults,
                )
            self._worker.wake()
            return
        if not self._queue.closed and not self._behind_was_said:
            self._behind_was_said = True
            ui.say(
                "payloads come faster than they can be kept: more than "
                f"{self._max_bytes >> 20} MiB wait, so the calls that log them wait too now."
            )
        self._queue.do(work)

    def drain(self) -> None:
        """Do everything that waits.

        Raises:
            Exception: What a payload failed with, in strict mode.
        """
        self._queue.drain()

    def close(self, timeout_seconds: float) -> None:
        """Do everything that waits and stop the thread; later payloads are done where they come.

        Raises:
            Exception: What a payload failed with, in strict mode. Everything is closed.
        """
        try:
            self._queue.close()
        finally:
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.close(timeout_seconds)

    def reset_after_fork(self) -> None:
        """In a forked child: begin anew."""
        self._queue = DeferredQueue(self._faults, self._max_bytes)
        self._worker = None
