"""Whether the service lives, whether it can answer, and what it counted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from quark.service.access import watches_service
from quark.service.routes.records import json_answer
from quark.service.state import state_of

router = APIRouter(tags=["health"])

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"description": "It cannot answer now; the reasons by where they are."}
}


@router.get("/healthz")
async def health() -> dict[str, str]:
    """Say that the process lives and answers; whether it can work, /readyz tells."""
    return {"status": "ok"}


@router.get("/readyz", responses=_NOT_READY)
def readiness(request: Request) -> Response:
    """Say whether the store and the engines answer and the disk has room."""
    faults = state_of(request).readiness.faults()
    if not faults:
        return json_answer({"status": "ready"})
    response = json_answer({"status": "not ready", "faults": faults})
    response.status_code = 503
    response.headers["Retry-After"] = "5"
    return response


@router.get(
    "/metrics",
    dependencies=[Depends(watches_service)],
    responses={200: {"content": {_TEXT: {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Return what was counted, for Prometheus."""
    state = state_of(request)
    state.metrics.look(state)
    return Response(state.metrics.text(), media_type=_TEXT)
