"""Obeying who asks for the end of a training from elsewhere: an extension of its session.

``quark run stop`` and the dashboard leave a request in the store. This looks for it every few
seconds, in the background. The training then ends before its next optimizer step of torch, or
where its loop asks with ``quark.live.should_stop()``. A loop that does neither is interrupted as
Ctrl-C would do it, after a while in which it could have come to its next step.
"""

from __future__ import annotations

import _thread
import os
from typing import TYPE_CHECKING

from quark import ui
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SessionStoreError
from quark.live.stopping import GATE, StopByRequest, asks_by_itself, order_stop, withdraw, words_of
from quark.records import EventRecord
from quark.session.places import is_remote
from quark.storage.stop_requests import find_stop_request, take_stop_back

if TYPE_CHECKING:
    from quark.session import TrainingSession
    from quark.storage.batch import Batch
    from quark.storage.stop_requests import StopRequest

#: How often the store is asked; a service has many trainings to answer.
LOCAL_SECONDS, REMOTE_SECONDS = 2.0, 10.0
#: How long a training may take to its next step before it is interrupted.
GRACE_SECONDS = 60.0


class StopWatch:
    """Looks whether somebody asks for the end of one run's training.

    Args:
        look_seconds: How often; by default as the store bears it.
        grace_seconds: How long the next step may take.
        clock: What tells how much time has passed.
    """

    def __init__(
        self,
        *,
        look_seconds: float | None = None,
        grace_seconds: float = GRACE_SECONDS,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._look_seconds = look_seconds
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._pid = os.getpid()
        self._next_look = 0.0
        self._is_first = True
        self._ended = False
        self._gate_open = False
        self._ordered_at: float | None = None
        self._interrupted = False

    # -- the session's calls -------------------------------------------------------------------

    def on_start(self, session: TrainingSession) -> None:
        """Begin to look; on the thread that opens the run, which may put hooks into torch."""
        settings = session.handle.settings
        if settings.mode != "online":
            return  # nobody can find the run in a store
        if self._look_seconds is None:
            self._look_seconds = REMOTE_SECONDS if is_remote(settings) else LOCAL_SECONDS
        GATE.open()
        self._gate_open = True
        session.handle.add_duty(lambda: self.look(session))

    def on_batch(self, session: TrainingSession, batch: Batch) -> None:
        """Nothing: what is logged says nothing of this."""

    def on_end(self, session: TrainingSession, status: str) -> None:
        """Look no more; what was asked for is done."""
        self._ended = True
        if os.getpid() != self._pid or not self._gate_open:
            return
        self._gate_open = False
        GATE.close()
        withdraw(session.run_id)
        if self._ordered_at is not None:
            with session.handle.at_rest() as store:
                take_stop_back(store.documents, session.run_id)

    # -- in the background ---------------------------------------------------------------------

    def look(self, session: TrainingSession) -> None:
        """Look once, if it is time to."""
        now = self._clock.monotonic()
        if self._ended or session.handle.closing:
            return
        if self._ordered_at is not None:
            self._interrupt_if_due(session, now)
            return
        if now < self._next_look or session.handle.last_error is not None:
            return
        assert self._look_seconds is not None
        self._next_look = now + self._look_seconds
        try:
            with session.handle.at_rest() as store:
                request = find_stop_request(store.documents, session.run_id)
                if request is not None and self._is_stale(session):
                    take_stop_back(store.documents, session.run_id)
                    request = None
        except SessionStoreError:
            self._next_look = now + 10 * self._look_seconds  # its trouble is told by deliveries
            return
        self._is_first = False
        if request is not None:
            self._obey(session, request, now)

    def _is_stale(self, session: TrainingSession) -> bool:
        """Say whether a request is of the life that the run had before it was resumed."""
        return self._is_first and session.context.run.resume_count > 0

    def _obey(self, session: TrainingSession, request: StopRequest, now: float) -> None:
        self._ordered_at = now
        order_stop(StopByRequest(request))
        session.handle.emit(
            EventRecord,
            event_type="stop_requested",
            severity="warning",
            payload={"by": request.by, "reason": request.reason},
        )
        if not session.handle.quiet:
            ui.say(f"{words_of(request)}. The training ends before its next step.", tone="warning")

    def _interrupt_if_due(self, session: TrainingSession, now: float) -> None:
        assert self._ordered_at is not None
        if self._interrupted or asks_by_itself(session.run_id):
            return
        if now - self._ordered_at >= self._grace_seconds:
            self._interrupted = True
            ui.say("the training has made no step since it was asked to stop: interrupting it.")
            _thread.interrupt_main()
