"""The rules for events and run logs, shared by sessions and the event writer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quark.errors import SchemaValidationError
from quark.naming import check_event_type
from quark.records import SEVERITIES, LogIdentifier

_RESERVED = ("message", "identifier")
_SEVERITY_OF_LOG = {
    LogIdentifier.INFO: "info",
    LogIdentifier.WARNING: "warning",
    LogIdentifier.ERROR: "error",
}

#: What an event means where nobody says how bad it is.
DEFAULT_SEVERITIES = {
    "runtime_error": "error",
    "run_failed": "error",
    "run_lost": "error",
    "out_of_memory": "error",
    "non_finite_metric": "warning",
    "runtime_interruption": "warning",
    "gradient_overflow": "warning",
    "skipped_step": "warning",
    "early_stopping": "warning",
    "debug": "debug",
}


def default_severity(event_type: str) -> str:
    """Return the severity of an event type, ``info`` unless it is known to be another."""
    return DEFAULT_SEVERITIES.get(event_type, "info")


def check_severity(severity: str) -> str:
    """Return ``severity`` if it is one of the five words.

    Raises:
        SchemaValidationError: It is not.
    """
    if severity not in SEVERITIES:
        raise SchemaValidationError(
            f"Severity {severity!r} is not valid: it must be one of {', '.join(SEVERITIES)}."
        )
    return severity


def severity_of(identifier: str | None) -> str:
    """Return the severity that belongs to a log identifier; none counts as ``Info``."""
    return _SEVERITY_OF_LOG[_identifier(identifier)]


def log_payload(
    message: str, identifier: str | None, payload: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the payload of a run log.

    Raises:
        SchemaValidationError: The message is no text, the identifier is not one of the three
            words, or ``payload`` defines a reserved key.
    """
    if not message or type(message) is not str:
        raise SchemaValidationError(f"Log message {message!r} must be a text that is not empty.")
    word = _identifier(identifier)
    extra = dict(payload or {})
    for key in _RESERVED:
        if key in extra:
            raise SchemaValidationError(
                f"Log payload key {key!r} is reserved: choose another name for it."
            )
    return {"message": message, "identifier": word.value, **extra}


def check_event(event_type: str, step: int | None, epoch: int | None) -> None:
    """Refuse an event whose type, step or epoch breaks a rule.

    Raises:
        SchemaValidationError: It does.
    """
    check_event_type(event_type)
    check_index("step", step)
    check_index("epoch", epoch)


def check_index(name: str, value: int | None) -> None:
    """Refuse a step or epoch that is no integer from 0 on.

    Raises:
        SchemaValidationError: It is not.
    """
    if value is None or (type(value) is int and 0 <= value < 2**63):
        return
    raise SchemaValidationError(
        f"{name} {value!r} is not valid: it must be an integer, 0 or more (and below 2**63)."
    )


def _identifier(identifier: str | None) -> LogIdentifier:
    try:
        return LogIdentifier(identifier or "Info")
    except ValueError as error:
        raise SchemaValidationError(
            f"Log identifier {identifier!r} is not valid: it must be 'Info', 'Warning' or 'Error'."
        ) from error
