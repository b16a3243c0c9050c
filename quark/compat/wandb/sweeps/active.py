"""Which trial of a sweep this process runs, if any: what ``init`` asks before anything else.

A trial belongs to the thread that runs it, and to those that its function starts as long as this
process runs no other one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quark.sweeps import RunningTrial


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveTrial:
    """What ``init`` makes a run from, in place of what it is given."""

    sweep_id: str
    run_id: str
    project: str
    entity: str | None
    values: Mapping[str, Any]
    running: RunningTrial | None = None


_here: ContextVar[ActiveTrial | None] = ContextVar("quark_trial", default=None)
_all: dict[str, ActiveTrial] = {}

#: Runs that may log no more, and what they raise instead.
STOP_ORDERS: dict[str, Exception] = {}


def active_trial() -> ActiveTrial | None:
    """Return the trial that the calling thread works on; None if it works on none."""
    found = _here.get()
    if found is None and len(_all) == 1:
        found = next(iter(_all.values()))
    return found


def alone() -> bool:
    """Say whether this process runs no more than one trial."""
    return len(_all) < 2


@contextlib.contextmanager
def entered(trial: ActiveTrial) -> Iterator[None]:
    """Work on ``trial`` for as long as the block lasts."""
    token = _here.set(trial)
    _all[trial.run_id] = trial
    try:
        yield
    finally:
        _here.reset(token)
        _all.pop(trial.run_id, None)
        STOP_ORDERS.pop(trial.run_id, None)
