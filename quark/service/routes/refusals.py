"""The answers of 400 and more that a route may give, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from quark.service.routes.identity_models import ErrorOut

_WORDS = {
    401: "No user key, or none that is accepted.",
    403: "The key is good, but it or its user's role do not allow this here.",
    404: "There is no such thing.",
    405: "There is such a path, but not with this method.",
    408: "The body came too slowly.",
    409: "It is there already, or somebody else has changed it first.",
    413: "The body is too large.",
    422: "The request is not valid; sending it again would not help.",
    429: "Too much at once; see Retry-After.",
    431: "The headers are too large or too many.",
    500: "The service has a fault, which is in its log.",
    503: "The store cannot answer now; see Retry-After.",
}


def refusals() -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI's ``responses`` takes: every refusal with its model."""
    return {status: {"model": ErrorOut, "description": words} for status, words in _WORDS.items()}
