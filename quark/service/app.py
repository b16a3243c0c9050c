"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from quark import __version__
from quark.clock import SYSTEM_CLOCK, Clock
from quark.persistence.wire import API_PREFIX
from quark.service.config import ServiceConfig
from quark.service.guarding import install_guards
from quark.service.guards.request_log import route_templates
from quark.service.openapi import DESCRIPTION, describe, operation_id
from quark.service.request_metrics import RequestMetrics
from quark.service.routes import (
    analysis,
    documents,
    health,
    identity,
    ingest,
    live,
    payloads,
    points,
    records,
    runs,
    uploads,
)
from quark.service.routes.refusals import refusals
from quark.service.state import ServiceState

#: The families of routes below ``/api/v1/workspaces/{workspace}``. Observer's six endpoints will be
#: one more, ``routes/observer.py``.
WORKSPACE_ROUTES = (ingest, runs, records, points, live, analysis, documents, payloads, uploads)


def create_app(config: ServiceConfig, *, clock: Clock = SYSTEM_CLOCK) -> FastAPI:
    """Return the application; its parts are opened when it starts and closed when it stops."""
    state = ServiceState(config, clock=clock)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state.start()
        try:
            yield
        finally:
            await state.ingest.close()
            await run_in_threadpool(state.close)

    app = FastAPI(
        title="Quark",
        version=__version__,
        description=DESCRIPTION,
        generate_unique_id_function=operation_id,
        lifespan=lifespan,
        docs_url=None,  # its page loads from elsewhere
        redoc_url=None,
        responses=refusals(),
    )
    app.state.service = state
    for family in WORKSPACE_ROUTES:
        app.include_router(family.router, prefix=f"{API_PREFIX}/workspaces/{{workspace}}")
    app.include_router(identity.router, prefix=API_PREFIX)
    app.include_router(health.router)
    describe(app)
    install_guards(app, state)
    app.add_middleware(
        RequestMetrics,
        metrics=state.metrics,
        clock=clock,
        templates=cache(lambda: route_templates(app)),
    )
    return app
