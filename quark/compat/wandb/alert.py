"""Alerts that a script raises itself: ``wandb.alert``."""

from __future__ import annotations

from enum import Enum
from typing import Any


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
