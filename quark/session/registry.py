"""The sessions that are open in this process, and what becomes of them at its end or at a fork."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from quark.records import RunStatus
from quark.session.exit import ExitWatch
from quark.session.interruption import interrupt

if TYPE_CHECKING:
    from quark.session.training import TrainingSession

#: Open sessions by the order of their start. A session that is open is kept alive by this.
_OPEN: dict[int, TrainingSession] = {}
_SEEN: weakref.WeakSet[TrainingSession] = weakref.WeakSet()


def add(session: TrainingSession) -> None:
    """Take note of a session that was opened."""
    _OPEN[id(session)] = session
    _SEEN.add(session)
    EXIT.install()


def remove(session: TrainingSession) -> None:
    """Take note that a session was closed."""
    _OPEN.pop(id(session), None)
    if not _OPEN:
        EXIT.release_signal()


def latest() -> TrainingSession | None:
    """Return the open session that was started last."""
    return next(reversed(_OPEN.values()), None)


def find(run_id: str, store_root: str) -> TrainingSession | None:
    """Return the open session of a run, if this process has one."""
    for session in reversed(_OPEN.values()):
        if session.run_id == run_id and session.context.store_root == store_root:
            return session
    return None


def _end_all() -> None:
    """End what the script left open: failed after an uncaught exception, else completed."""
    for session in tuple(_OPEN.values()):
        error = EXIT.exception
        if error is not None:
            session.end_after(error)
        else:
            session.end_run(RunStatus.COMPLETED if EXIT.exit_code == 0 else RunStatus.FAILED)


def _interrupt_all(number: int) -> None:
    interrupt(tuple(_OPEN.values()), number)


def _after_fork_in_child() -> None:
    EXIT.release_signal()
    for session in tuple(_SEEN):
        session.mark_forked()


EXIT = ExitWatch(_end_all, _interrupt_all)
os.register_at_fork(after_in_child=_after_fork_in_child)
