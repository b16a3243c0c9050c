"""What becomes of open sessions when a signal is about to end the process.

This runs in a signal handler: the code that it interrupted may hold any lock and never goes on. So
the end is written to the journal, which may be entered again, and nothing is waited for but the
background's deliveries, and not for long. What is not delivered by then is delivered by the next
reader, as after a crash.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.records import EventRecord, LogIdentifier, RunStatus
from quark.session.events import log_payload

if TYPE_CHECKING:
    from quark.session.training import TrainingSession

#: Who sends SIGTERM often sends SIGKILL a few seconds later.
_DELIVERY_SECONDS: Final = 2.0


def interrupt(sessions: Iterable[TrainingSession], number: int) -> None:
    """Have ``sessions`` kept as interrupted by signal ``number``."""
    sessions = [session for session in sessions if not session.ended]
    for session in sessions:
        session.handle.stop_console()
        if session.handle.owner and session.status == RunStatus.RUNNING:
            _write_end(session, number)
    deadline = SYSTEM_CLOCK.monotonic() + _DELIVERY_SECONDS
    for session in sessions:
        session.handle.await_delivery(deadline - SYSTEM_CLOCK.monotonic())


def _write_end(session: TrainingSession, number: int) -> None:
    reason = signal.Signals(number).name
    status = RunStatus.INTERRUPTED.value
    message = f"{reason} ended the process."
    session.emit(
        EventRecord,
        event_type="runtime_interruption",
        severity="warning",
        payload=log_payload(message, LogIdentifier.WARNING, None),
    )
    session.emit(EventRecord, event_type="run_ended", severity="info", status=status, payload={})
    session.update_run(
        status=status,
        ended_at=format_timestamp(SYSTEM_CLOCK.time_us()),
        exit_code=128 + number,
        end_reason=reason,
    )
