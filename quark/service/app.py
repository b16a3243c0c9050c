"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from quark import __version__
from quark.clock import SYSTEM_CLOCK, Clock
from quark.dashboard import app as dashboard
from quark.persistence.wire import API_PREFIX
from quark.service.config import ServiceConfig
from quark.service.guarding import guarded
from quark.service.guards.answers import install_answers
from quark.service.guards.page_requests import is_of_dashboard
from quark.service.guards.request_log import QUIET, route_templates
from quark.service.openapi import DESCRIPTION, describe, operation_id
from quark.service.pages import pages_app
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


class Application(FastAPI):
    """FastAPI behind its guards. Batches turn off before its routes: what FastAPI does for a
    request costs as much as storing a batch. So do the dashboard's requests, which have an
    application of their own."""

    #: What every request goes to; it ends at :meth:`beyond_guards`.
    entrance: ASGIApp
    #: What answers below ``/ui``.
    pages: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.entrance(scope, receive, send)

    async def beyond_guards(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the guards let through."""
        if is_of_dashboard(scope):
            # Pages ask every few seconds; /metrics counts that.
            scope[QUIET] = scope["method"] == "GET"
            await self.pages(scope, receive, send)
            return
        place = ingest.batch_place(scope)
        if place is None:
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            await ingest.answer_batch(place, scope, receive, send)


def create_app(config: ServiceConfig, *, clock: Clock = SYSTEM_CLOCK) -> Application:
    """Return the application; its parts are opened when it starts and closed when it stops."""
    state = ServiceState(config, clock=clock)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = config.threads
        state.start()
        try:
            yield
        finally:
            await state.ingest.close()
            await run_in_threadpool(state.close)

    app = Application(
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
    install_answers(app)
    app.pages = pages = pages_app(state)

    def templates() -> dict[object, str]:
        return route_templates(app) | dashboard.route_templates(pages)

    app.entrance = guarded(app.beyond_guards, state, cache(templates))
    return app
