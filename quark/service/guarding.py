"""The guards around an application, the outermost last."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from quark.persistence.wire import REQUEST_ID_HEADER, STORAGE_DIR_HEADER, VERSION_HEADER
from quark.service.guards.answers import answer_fault
from quark.service.guards.body import BodyGuard
from quark.service.guards.busy import BusyGuard
from quark.service.guards.door import PUBLIC_PATHS, Door
from quark.service.guards.headers import HeaderGuard
from quark.service.guards.request_log import RequestLog
from quark.service.request_metrics import RequestMetrics
from quark.service.state import ServiceState


def guarded(
    app: ASGIApp, state: ServiceState, templates: Callable[[], Mapping[object, str]]
) -> ASGIApp:
    """Return ``app`` behind its guards.

    Args:
        templates: Gives the path of each route's endpoint as it was declared.
    """
    config, limits, clock = state.config, state.config.guards, state.clock
    public_paths = PUBLIC_PATHS | {"/metrics"} if config.metrics_public else PUBLIC_PATHS
    app = BodyGuard(
        app,
        clock=clock,
        limits=limits,
        max_body_bytes=max(config.max_body_bytes, config.max_part_bytes),
        timeout_seconds=config.body_timeout_seconds,
        max_json_depth=config.max_json_depth,
    )
    app = BusyGuard(app, max_requests_per_key=limits.max_requests_per_key)
    app = Door(
        app,
        identity=lambda: state.identity,
        clock=clock,
        limits=limits,
        public_paths=public_paths,
    )
    if config.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=config.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", STORAGE_DIR_HEADER, VERSION_HEADER],
            expose_headers=[REQUEST_ID_HEADER, "Retry-After"],
        )
    app = HeaderGuard(app, limits=limits)
    # What the guards themselves do wrong is answered like a fault of a route.
    app = ServerErrorMiddleware(app, handler=answer_fault)
    app = RequestLog(app, log=lambda: state.log, clock=clock, templates=templates)
    return RequestMetrics(app, metrics=state.metrics, clock=clock, templates=templates)
