"""The two status vocabularies and which changes they allow.

A run (seed document 000) and an Observer session (002) are different things with different words.
W&B's words map onto a run's: finished is ``completed``; failed and crashed are ``failed``; killed
and preempted are ``interrupted`` with a reason.
"""

from __future__ import annotations

from enum import StrEnum

from quark.errors import InvalidRunStateError


class RunStatus(StrEnum):
    """Where a run is in its life."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ObserverStatus(StrEnum):
    """Where an Observer session is in its life."""

    RUNNING = "running"
    PENDING = "pending"
    ANALYZING = "analyzing"
    STOPPED = "stopped"
    COMPLETED = "completed"
    FAILED = "failed"


TERMINAL_STATUSES = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.INTERRUPTED})

RUN_TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.RUNNING: TERMINAL_STATUSES,
    RunStatus.INTERRUPTED: frozenset({RunStatus.RUNNING}),
    RunStatus.FAILED: frozenset({RunStatus.RUNNING}),
    RunStatus.COMPLETED: frozenset(),
}

OBSERVER_TRANSITIONS: dict[ObserverStatus, frozenset[ObserverStatus]] = {
    ObserverStatus.RUNNING: frozenset(
        {
            ObserverStatus.PENDING,
            ObserverStatus.ANALYZING,
            ObserverStatus.STOPPED,
            ObserverStatus.COMPLETED,
            ObserverStatus.FAILED,
        }
    ),
    ObserverStatus.PENDING: frozenset(
        {ObserverStatus.RUNNING, ObserverStatus.STOPPED, ObserverStatus.FAILED}
    ),
    ObserverStatus.ANALYZING: frozenset(
        {
            ObserverStatus.RUNNING,
            ObserverStatus.PENDING,
            ObserverStatus.COMPLETED,
            ObserverStatus.FAILED,
        }
    ),
    ObserverStatus.STOPPED: frozenset({ObserverStatus.RUNNING}),
    ObserverStatus.COMPLETED: frozenset(),
    ObserverStatus.FAILED: frozenset(),
}


def check_run_transition(run_id: str, current: str, wanted: str) -> None:
    """Refuse a change of a run's status that is not allowed.

    Raises:
        InvalidRunStateError: The change is not in ``RUN_TRANSITIONS``.

    >>> check_run_transition("run_1", "running", "completed")
    """
    allowed = RUN_TRANSITIONS[RunStatus(current)]
    if wanted not in allowed:
        options = ", ".join(sorted(allowed)) or "nothing: it is final"
        raise InvalidRunStateError(
            f"Run {run_id!r} is {RunStatus(current).value!r} and cannot become "
            f"{RunStatus(wanted).value!r}; from here it can become "
            f"{options}. Start a new run with parent_run_id={run_id!r} to continue its lineage."
        )
