"""Alerts that a script raises itself: ``wandb.alert``."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from datetime import timedelta

WAIT_SECONDS = 60.0
_MAX_TITLES = 1000

_said: dict[tuple[str, str], float] = {}


class AlertLevel(Enum):
    """How bad it is."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


_SEVERITIES = {
    AlertLevel.INFO: "info",
    AlertLevel.WARN: "warning",
    AlertLevel.ERROR: "error",
}


def may_say(
    run_id: str,
    title: str,
    wait_duration: float | timedelta | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> bool:
    """Say whether ``title`` is to be said now; False within ``wait_duration`` of the last time."""
    wait = WAIT_SECONDS if wait_duration is None else wait_duration
    seconds = float(wait.total_seconds() if hasattr(wait, "total_seconds") else wait)
    now = clock.monotonic()
    last = _said.get((run_id, title))
    if last is not None and now - last < seconds:
        return False
    if len(_said) >= _MAX_TITLES:  # titles with numbers in them
        _said.clear()
    _said[run_id, title] = now
    return True


def alert_fields(title: str, text: str, level: str | AlertLevel | None) -> dict[str, Any]:
    """Return the fields of the event that keeps an alert.

    Raises:
        ValueError: ``level`` is no level.
    """
    try:
        chosen = AlertLevel(getattr(level, "value", level) or "INFO")
    except ValueError as error:
        raise ValueError(f"Alert level {level!r} is not one of INFO, WARN and ERROR.") from error
    payload = {"message": str(text), "title": str(title), "level": chosen.value}
    return {"severity": _SEVERITIES[chosen], "payload": payload}
