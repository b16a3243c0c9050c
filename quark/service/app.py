"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from quark import __version__, jsonio
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import QuarkError
from quark.persistence.wire import (
    API_PREFIX,
    JSON_TYPE,
    VERSION_HEADER,
    WIRE_VERSION,
    error_body,
    status_of,
)
from quark.service.bodies import BodyTooLargeError
from quark.service.config import ServiceConfig
from quark.service.routes import documents, ingest, points, records, runs
from quark.service.state import ServiceState

#: The families of routes below ``/api/v1/workspaces/{workspace}``.
WORKSPACE_ROUTES = (runs, ingest, records, points, documents)


def create_app(config: ServiceConfig, *, clock: Clock = SYSTEM_CLOCK) -> FastAPI:
    """Return the application; its parts are opened when it starts and closed when it stops."""
    state = ServiceState(config, clock=clock)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state.start()
        try:
            yield
        finally:
            state.close()

    app = FastAPI(title="Quark", version=__version__, lifespan=lifespan, redoc_url=None)
    app.state.service = state
    for family in WORKSPACE_ROUTES:
        app.include_router(family.router, prefix=f"{API_PREFIX}/workspaces/{{workspace}}")
    app.add_exception_handler(QuarkError, _refused)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """Answer what a store, or a check, raised."""
    assert isinstance(error, QuarkError)
    too_large = isinstance(error, BodyTooLargeError)
    status = 413 if too_large else status_of(error)
    kind = "RecordRejectedError" if too_large else type(error).__name__
    headers = {VERSION_HEADER: str(WIRE_VERSION)}
    pause = getattr(error, "retry_after_seconds", None)
    if status in (429, 503):
        headers["Retry-After"] = f"{pause or 1:g}"
    body = jsonio.dumps(error_body(kind, str(error)))
    return Response(body, status, headers=headers, media_type=JSON_TYPE)
