"""What a service and its clients say to each other: names, versions, and errors as statuses.

Bodies of batches are in :mod:`quark.persistence.wire_batch`, those of series in
:mod:`quark.persistence.wire_series`; all others are JSON. Documented in docs/service.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quark import errors, jsonio
from quark.errors import QuarkError, SchemaValidationError, SessionStoreError

#: Of the bodies and routes together. A service speaks one version; a client refuses another.
WIRE_VERSION = 1
API_PREFIX = f"/api/v{WIRE_VERSION}"
#: In the place of a workspace's name: the one that the key belongs to.
OWN_WORKSPACE = "-"

STORAGE_DIR_HEADER = "Quark-Storage-Dir"
VERSION_HEADER = "Quark-Wire-Version"
REQUEST_ID_HEADER = "Quark-Request-Id"

JSON_TYPE = "application/json"
BATCH_TYPE = "application/vnd.quark.batch"
SERIES_TYPE = "application/vnd.quark.series"

#: Bodies above this many bytes are worth compressing for a network.
GZIP_ABOVE_BYTES = 16 * 1024
#: What a service takes at once, unless it is told otherwise; clients stay below it.
MAX_BODY_BYTES = 32 * 1024 * 1024

#: The status of each error, the most special class first. What is not here is the service's fault.
STATUS_OF: tuple[tuple[type[QuarkError], int], ...] = (
    (errors.AuthenticationError, 401),
    (errors.PermissionDeniedError, 403),
    (errors.IdentityNotFoundError, 404),
    (errors.RunNotFoundError, 404),
    (errors.ArtifactNotFoundError, 404),
    (errors.DocumentConflictError, 409),
    (errors.InvalidRunStateError, 409),
    (errors.RecordRejectedError, 422),
    (errors.SchemaValidationError, 422),
    (errors.DamagedFileError, 500),
    (errors.SchemaMigrationError, 500),
    (errors.SessionStoreError, 503),
)

#: What an answer may stand for. Others of Quark's errors are not for a service to raise.
_ANSWERS = (
    errors.SessionStoreError,
    errors.InvalidRunStateError,
    errors.SchemaValidationError,
    errors.SchemaMigrationError,
    errors.DamagedFileError,
)
#: What a status stands for where the body does not say it, as that of a proxy does not.
_STANDS_FOR: dict[int, type[SessionStoreError]] = {
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
}
_LARGEST_BODY_SHOWN = 200


def status_of(error: QuarkError) -> int:
    """Return the HTTP status that stands for ``error``.

    >>> status_of(errors.RunNotFoundError("There is no run 'r'.")), status_of(QuarkError("?"))
    (404, 500)
    """
    return next((status for kind, status in STATUS_OF if isinstance(error, kind)), 500)


def error_body(kind: str, message: str) -> dict[str, Any]:
    """Return the body that goes with a status of 400 or more.

    >>> error_body("RunNotFoundError", "There is no run 'r'.")
    {'error': {'type': 'RunNotFoundError', 'message': "There is no run 'r'."}}
    """
    return {"error": {"type": kind, "message": message}}


def error_of(status: int, body: bytes, headers: Mapping[str, str], *, target: str) -> QuarkError:
    """Return the error that an answer stands for: the one that the store behind it raised.

    ``target`` names the service in the message. What is no answer of a Quark service, such as a
    proxy's page, is a :class:`SessionStoreError`, which a shipper tries again.
    """
    kind, message = _described(body)
    known = getattr(errors, kind, None) if kind else None
    error: QuarkError
    if isinstance(known, type) and issubclass(known, _ANSWERS):
        error = known(message)
    elif status == 413:
        error = errors.RecordRejectedError(message or f"{target} takes no body of this size.")
    else:
        said = f": {message}" if message else ""
        error = _STANDS_FOR.get(status, SessionStoreError)(f"{target} answered {status}{said}.")
    if isinstance(error, SessionStoreError):
        error.retry_after_seconds = _seconds(headers.get("Retry-After"))
    return error


def _described(body: bytes) -> tuple[str, str]:
    """Return the type and the message of an error's body; of a foreign one its beginning."""
    try:
        described = jsonio.loads(body)["error"]
        return str(described["type"]), _printable(str(described["message"]))
    except (SchemaValidationError, KeyError, TypeError):
        text = body[:_LARGEST_BODY_SHOWN].decode("utf-8", "replace")
        return "", _printable(" ".join(text.split())).rstrip(".")


def _printable(text: str) -> str:
    """Return text that does nothing to a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text) if text else -1.0
    except ValueError:  # a date: let the sender's own back-off decide
        return None
    return seconds if 0 <= seconds < 86_400 else None
