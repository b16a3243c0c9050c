"""One trial of a sweep, as its document says it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

#: Kinds of documents.
SWEEP = "sweep"
TRIAL = "sweep_trial"
RUN = "sweep_run"  # which sweep a run belongs to

#: How often a combination of a grid is tried whose process died.
MAX_OFFERS = 3

RUNNING = "running"
COMPLETED = "completed"
FAILED = "failed"  # its function raised, or its program returned another code than 0
STOPPED = "stopped"  # ended before its end: by hyperband, or because the sweep was cancelled
INTERRUPTED = "interrupted"  # Ctrl-C
LOST = "lost"  # its process died
STATES = (RUNNING, COMPLETED, FAILED, STOPPED, INTERRUPTED, LOST)

#: States in which the trial says nothing about its values, so a grid offers them again.
REOPENED = frozenset({INTERRUPTED, LOST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial. ``values`` is the config that its run gets; nested parameters are nested dicts.

    ``metric`` is the best value of the sweep's metric, ``brackets`` the best at each bracket of
    hyperband that it has come to; both are as of the last look. ``stop`` is why it shall be ended
    early, if it shall.
    """

    sweep_id: str
    number: int  # from 1
    run_id: str
    values: Mapping[str, Any]
    state: str = RUNNING
    point: int | None = None
    units: Mapping[str, float] = field(default_factory=dict)
    agent: str | None = None
    host: str | None = None
    pid: int | None = None
    started_at: str = ""
    ended_at: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    metric: float | None = None
    brackets: tuple[float, ...] = ()
    stop: str | None = None
    prior: bool = False  # a run from before the sweep

    @property
    def ended(self) -> bool:
        return self.state != RUNNING

    @property
    def document_name(self) -> str:
        return f"{self.sweep_id}/{self.number:08d}"

    def to_body(self) -> dict[str, Any]:
        """Return the trial as its document holds it."""
        body = asdict(self)
        body["values"], body["units"] = dict(self.values), dict(self.units)
        return {name: value for name, value in body.items() if value is not None}


_FIELDS = frozenset(item.name for item in fields(Trial))


def trial_of(body: Mapping[str, Any]) -> Trial:
    """Read a trial from its document; what a later version added is passed over."""
    known = {name: value for name, value in body.items() if name in _FIELDS}
    known["brackets"] = tuple(float(value) for value in known.get("brackets", ()))
    if known.get("metric") is not None:
        known["metric"] = float(known["metric"])  # NaN and the infinities rest as texts
    return Trial(**known)
