"""Answers to what went wrong: one shape for all of them, and nothing in it that is not meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from quark import jsonio
from quark.errors import AuthenticationError, QuarkError
from quark.persistence.wire import (
    JSON_TYPE,
    VERSION_HEADER,
    WIRE_VERSION,
    error_body,
    status_of,
)
from quark.service.bodies import BodyTooLargeError
from quark.service.limits import SlowBodyError

_MAX_FAULTS_TOLD = 5


def refusal(error: QuarkError) -> Response:
    """Return the answer that says ``error``."""
    if isinstance(error, BodyTooLargeError):
        return answer(413, "RecordRejectedError", str(error))
    if isinstance(error, SlowBodyError):
        return answer(408, "SessionStoreError", str(error), {"Connection": "close"})
    status = status_of(error)
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = f"{getattr(error, 'retry_after_seconds', None) or 1:g}"
    if isinstance(error, AuthenticationError):
        headers["WWW-Authenticate"] = "Bearer"
    return answer(status, _public_name(error), str(error), headers)


def answer(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer with the body that all answers of 400 and more have."""
    return Response(
        jsonio.dumps(error_body(kind, message)),
        status,
        headers={VERSION_HEADER: str(WIRE_VERSION), **(headers or {})},
        media_type=JSON_TYPE,
    )


def install_answers(app: FastAPI) -> None:
    """Have ``app`` answer with these, whatever is raised."""
    app.add_exception_handler(QuarkError, _of_quark)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, answer_fault)


async def _of_quark(request: Request, error: Exception) -> Response:
    assert isinstance(error, QuarkError)
    return refusal(error)


async def _of_validation(request: Request, error: Exception) -> Response:
    """Say where a request is wrong, but not what it held: that may be a secret."""
    assert isinstance(error, RequestValidationError)
    return answer(422, "SchemaValidationError", _faults(error.errors()))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = "SchemaValidationError" if error.status_code in (400, 422) else "SessionStoreError"
    status = 422 if error.status_code == 400 else error.status_code
    return answer(status, kind, f"{error.detail}.", dict(error.headers or {}))


async def answer_fault(request: Request, error: Exception) -> Response:
    """Say that it is our fault; what it is stands in the log, not here."""
    request_id = request.scope.get("quark.request_id", "unknown")
    message = (
        "The service has a fault. Ask who runs it to look into its log for the request "
        f"{request_id}."
    )
    return answer(500, "SessionStoreError", message)


def _faults(errors: Iterable[dict[str, Any]]) -> str:
    told = []
    for fault in errors:
        place = ".".join(str(part)[:40] for part in fault.get("loc", ()))
        told.append(f"{place}: {fault.get('msg', 'not valid')}")
    rest = len(told) - _MAX_FAULTS_TOLD
    more = f"; and {rest} more" if rest > 0 else ""
    return f"The request is not valid: {'; '.join(told[:_MAX_FAULTS_TOLD])}{more}."


def _public_name(error: QuarkError) -> str:
    """Return the class that the other side knows: the first one of ``quark.errors``."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "quark.errors")
