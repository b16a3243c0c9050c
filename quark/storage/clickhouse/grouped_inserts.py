"""One insert for many callers: a server that makes a file set of every insert wants few of them.

Whoever comes while nobody sends leads: it waits until the last insert is some milliseconds ago,
takes what all others have brought meanwhile, sends it, and tells them. So a lone caller after a
pause waits for nothing, two hundred share fifty inserts a second, and there is no further thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SessionStoreError

INTERVAL_SECONDS = 0.02
#: So many bytes are sent at once without waiting for more, and no more than that in one insert.
ENOUGH_BYTES = 2**20
MOST_BYTES = 2**26


class _Waiting:
    """What one caller has brought."""

    def __init__(self, rows: bytes) -> None:
        self.rows = rows
        self.is_done = False
        self.error: SessionStoreError | None = None


class GroupedInserts:
    """Collects what threads insert at the same time and sends it with ``send``."""

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], None],
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._send = send
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._has_leader = False
        self._last_sent_at = float("-inf")

    @property
    def waiting_count(self) -> int:
        """How many callers wait for the next insert."""
        return len(self._waiting)

    def insert(self, rows: bytes) -> None:
        """Return when ``rows`` are stored.

        Raises:
            SessionStoreError: The insert that they were part of failed; they may be stored.
        """
        mine = _Waiting(rows)
        with self._changed:
            self._waiting.append(mine)
            self._changed.notify_all()
        while not mine.is_done:
            with self._changed:
                while self._has_leader and not mine.is_done:
                    self._changed.wait()
                if mine.is_done:
                    break
                self._has_leader = True
                try:
                    group = self._gather()
                except BaseException:
                    self._has_leader = False
                    self._changed.notify_all()
                    raise
            self._lead(group)
        if mine.error is not None:
            raise mine.error

    def _gather(self) -> list[_Waiting]:
        """Wait for others, and take what has come. Called with the lock held."""
        while sum(len(each.rows) for each in self._waiting) < ENOUGH_BYTES:
            left = self._last_sent_at + self._interval_seconds - self._clock.monotonic()
            if left <= 0:
                break
            self._changed.wait(left)
        group = [self._waiting.pop(0)]
        size = len(group[0].rows)
        while self._waiting and size + len(self._waiting[0].rows) <= MOST_BYTES:
            group.append(self._waiting.pop(0))
            size += len(group[-1].rows)
        return group

    def _lead(self, group: Sequence[_Waiting]) -> None:
        failure: SessionStoreError | None = SessionStoreError("An insert was broken off.")
        try:
            self._last_sent_at = self._clock.monotonic()
            self._send([each.rows for each in group])
            failure = None
        except SessionStoreError as error:
            failure = error
        finally:
            with self._changed:
                for each in group:
                    each.error = _again(failure)
                    each.is_done = True
                self._has_leader = False
                self._changed.notify_all()


def _again(error: SessionStoreError | None) -> SessionStoreError | None:
    """Return an error of its own for each thread that raises it."""
    if error is None:
        return None
    another = SessionStoreError(str(error))
    another.retry_after_seconds = error.retry_after_seconds
    another.__cause__ = error
    return another
