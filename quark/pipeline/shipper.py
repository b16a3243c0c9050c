"""The one background thread that moves data: from a journal into a store.

What the store refuses for good is set aside in ``quarantine/`` with the reason; for anything else
the shipper tries again for ever, ever more slowly, and nothing is lost meanwhile: the journal
keeps it. Deliveries may repeat; the store makes them exactly once.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SessionStoreError
from quark.pipeline.delivery import Delivery
from quark.pipeline.diagnostics import Diagnostics, LossCounter
from quark.pipeline.faults import FaultLog
from quark.pipeline.frames import Frame
from quark.pipeline.journal import Journal
from quark.pipeline.outage import OutageNotice
from quark.pipeline.worker import BackgroundWorker

if TYPE_CHECKING:
    from quark.storage.batch import Batch
    from quark.storage.protocols import Store


#: A store that asks for a longer pause is asked again after this one.
_MOST_ASKED_SECONDS = 300.0
#: A delivery that fails after as long was too large for the way to the store.
_SLOW_SECONDS = 5.0
_MOST_FRAMES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipperConfig:
    """How often to deliver, and how to wait after trouble."""

    interval_seconds: float = 0.2
    retry_first_seconds: float = 0.2
    retry_most_seconds: float = 30.0
    fsync: bool = False
    deliver: bool = True  # False: offline, the journal is kept for a later ``sync``
    close_attempts: int = 1_000_000  # failures in a row after which ``close`` waits no longer


class Shipper:
    """Delivers one journal to ``store``. Owns its worker; neither the journal nor the store.

    ``on_batch`` sees every batch once, on this thread, before it is delivered.
    """

    def __init__(
        self,
        journal: Journal,
        store: Store,
        config: ShipperConfig | None = None,
        *,
        faults: FaultLog | None = None,
        losses: LossCounter | None = None,
        on_batch: Callable[[Batch], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._journal = journal
        self._store = store
        self._config = config or ShipperConfig()
        self._faults = faults or FaultLog()
        self._losses = losses or LossCounter()
        self._on_batch = on_batch
        self._clock = clock
        self._moved = threading.Condition(threading.Lock())
        self._attempts = 0
        self._failures = 0
        self._not_before = 0.0
        self._damaged = 0
        self._chores: deque[Callable[[], None]] = deque()
        self._duties: tuple[Callable[[], None], ...] = ()
        self._closing = False
        self._delivery: Delivery | None = None
        self._last_error: Exception | None = None
        self._outage = OutageNotice(journal, store.target, clock)
        self._frames_at_once = _MOST_FRAMES
        self._reached_seq = 0
        self._worker = BackgroundWorker(
            self._tick,
            name="quark-shipper",
            interval_seconds=self._config.interval_seconds,
            faults=self._faults,
        )

    def start(self) -> None:
        """Begin to deliver in the background."""
        self._worker.start()

    def wake(self) -> None:
        """Deliver soon."""
        self._worker.wake()

    def add_chore(self, chore: Callable[[], None]) -> None:
        """Have ``chore`` called once on the worker's thread, when nothing waits for delivery."""
        self._chores.append(chore)

    def add_duty(self, duty: Callable[[], None]) -> None:
        """Have ``duty`` called on the worker's thread every time before it delivers."""
        self._duties = (*self._duties, duty)

    @property
    def closing(self) -> bool:
        """Whether :meth:`close` was called: a chore should come to its end."""
        return self._closing

    def flush(self, timeout_seconds: float) -> int:
        """Deliver what has been appended so far; return how many frames are still pending.

        Comes back early when the store fails, and does not raise; ``last_error`` says why.
        """
        if not self._config.deliver or self._worker.is_this_thread:
            return self._journal.pending
        target = self._journal.last_seq
        deadline = self._clock.monotonic() + timeout_seconds
        with self._moved:
            asked_at = self._attempts
            while self._journal.shipped_seq < target:
                if self._attempts > asked_at + 1 and self._last_error is not None:
                    break
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    break
                self._not_before = 0.0
                self._worker.wake()
                self._moved.wait(min(left, 1.0))
        return max(0, target - self._journal.shipped_seq)

    def reset_after_fork(self) -> None:
        """In a forked child: forget the parent's thread and locks; ``start`` begins anew."""
        self._moved = threading.Condition(threading.Lock())
        self._attempts = self._failures = 0
        self._not_before = 0.0
        self._delivery = None
        self._reached_seq = 0
        self._duties = ()
        self._last_error = None

    def close(self, timeout_seconds: float) -> int:
        """Deliver what is left and stop. Returns how many frames are still unsent; they stay in
        the journal. A second call is harmless."""
        self._closing = True
        deadline = self._clock.monotonic() + timeout_seconds
        self._failures = 0
        while self.flush(max(0.0, deadline - self._clock.monotonic())):
            left = deadline - self._clock.monotonic()
            given_up = self._failures >= self._config.close_attempts
            if left <= 0 or given_up or not self._config.deliver:
                break
            with self._moved:  # the store failed: wait a little, then ask again
                self._moved.wait(min(left, self._config.retry_first_seconds))
        self._worker.close(max(0.1, deadline - self._clock.monotonic()))
        return self._journal.pending

    @property
    def last_error(self) -> Exception | None:
        """Why the latest attempt failed; None if it did not."""
        return self._last_error

    def diagnostics(self) -> Diagnostics:
        """Return the state of the pipeline as it is now."""
        journal = self._journal
        error = self._last_error
        return Diagnostics(
            writer_id=journal.writer_id,
            accepted=journal.last_seq,
            shipped=journal.shipped_seq,
            pending=journal.pending,
            points_shipped=self._delivery.points if self._delivery else 0,
            rows_shipped=self._delivery.rows if self._delivery else 0,
            records_shipped=self._delivery.records if self._delivery else 0,
            quarantined=self._delivery.refused if self._delivery else 0,
            damaged=self._damaged,
            dropped=self._losses.snapshot(),
            faults=self._faults.counts(),
            journal_bytes=journal.size_bytes,
            degraded=journal.degraded,
            last_error=None if error is None else f"{type(error).__name__}: {error}",
        )

    # -- on the worker's thread ----------------------------------------------------------------

    def _tick(self) -> None:
        for duty in self._duties:
            self._do_chore(duty)
        self._journal.maintain()
        if not self._config.deliver or self._clock.monotonic() < self._not_before:
            return
        try:
            self._drain()
        except SessionStoreError as error:
            self._back_off(error)
        except Exception as error:
            self._back_off(error)
            self._faults.record("delivery failed", error, strict=False)
        else:
            self._failures = 0
            self._last_error = None
            self._outage.is_over()
        finally:
            with self._moved:
                self._attempts += 1
                self._moved.notify_all()
        if self._chores and not self._closing and self._last_error is None:
            self._do_chore(self._chores.popleft())

    def _do_chore(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except Exception as error:
            self._faults.record("a background chore failed", error, strict=False)

    def _back_off(self, error: Exception) -> None:
        self._last_error = error
        longest = min(
            self._config.retry_most_seconds, self._config.retry_first_seconds * 2**self._failures
        )
        self._failures = min(self._failures + 1, 30)
        asked = min(getattr(error, "retry_after_seconds", None) or 0.0, _MOST_ASKED_SECONDS)
        pause = max(longest * _between_half_and_one(), asked)
        self._outage.goes_on(error)
        self._not_before = self._clock.monotonic() + pause

    def _drain(self) -> None:
        run_id = self._journal.meta.run_id
        moved = False
        while True:
            part = self._journal.read()
            self._damaged += part.damaged
            if not part.frames:
                if part.damaged:
                    self._journal.delivered(part)
                    continue
                break
            if self._config.fsync:
                self._journal.sync()
            self._deliver(part.frames)
            self._journal.delivered(part)
            moved = True
            self._journal.maintain()
            with self._moved:
                self._moved.notify_all()
        if moved and self._delivery is not None and self._delivery.points:
            self._store.points.merge(run_id)

    def _deliver(self, frames: Sequence[Frame]) -> None:
        if self._delivery is None:
            run_dir = self._journal.folder.parent
            self._delivery = Delivery(self._store, run_dir, self._losses, self._on_batch)
        refused = self._delivery.refused
        self._deliver_in_parts(self._delivery, frames)
        if self._delivery.refused > refused:
            reason = self._delivery.last_refusal or ""
            self._faults.record(
                "a record was refused and set aside", SessionStoreError(reason), strict=False
            )

    def _deliver_in_parts(self, delivery: Delivery, frames: Sequence[Frame]) -> None:
        """Deliver frames, fewer at once where the way to the store is slow."""
        left = [frame for frame in frames if frame.seq > self._reached_seq]
        while left:
            part, left = left[: self._frames_at_once], left[self._frames_at_once :]
            begun = self._clock.monotonic()
            try:
                delivery.deliver(self._journal.meta, part)
            except SessionStoreError:
                if self._clock.monotonic() - begun > _SLOW_SECONDS:
                    self._frames_at_once = max(1, len(part) // 2)
                raise
            self._reached_seq = part[-1].seq
            self._frames_at_once = min(_MOST_FRAMES, self._frames_at_once * 2)


def _between_half_and_one() -> float:
    """Return a random share, so that many waiting writers do not all come back at once."""
    return 0.5 + os.urandom(1)[0] / 510
