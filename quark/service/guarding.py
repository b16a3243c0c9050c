"""The guards around an application, the outermost last."""

from __future__ import annotations

from functools import cache

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from quark.persistence.wire import REQUEST_ID_HEADER, STORAGE_DIR_HEADER, VERSION_HEADER
from quark.service.guards.answers import install_answers
from quark.service.guards.body import BodyGuard
from quark.service.guards.busy import BusyGuard
from quark.service.guards.door import PUBLIC_PATHS, Door
from quark.service.guards.headers import HeaderGuard
from quark.service.guards.request_log import RequestLog, route_templates
from quark.service.state import ServiceState


def install_guards(app: FastAPI, state: ServiceState) -> None:
    """Put ``app`` behind its guards. To be called once, when all routes are there."""
    install_answers(app)
    config, limits, clock = state.config, state.config.guards, state.clock
    public_paths = PUBLIC_PATHS | {"/metrics"} if config.metrics_public else PUBLIC_PATHS
    app.add_middleware(
        BodyGuard,
        clock=clock,
        limits=limits,
        max_body_bytes=max(config.max_body_bytes, config.max_part_bytes),
        timeout_seconds=config.body_timeout_seconds,
        max_json_depth=config.max_json_depth,
    )
    app.add_middleware(BusyGuard, max_requests_per_key=limits.max_requests_per_key)
    app.add_middleware(
        Door,
        identity=lambda: state.identity,
        clock=clock,
        limits=limits,
        public_paths=public_paths,
    )
    if config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=config.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", STORAGE_DIR_HEADER, VERSION_HEADER],
            expose_headers=[REQUEST_ID_HEADER, "Retry-After"],
        )
    app.add_middleware(HeaderGuard, limits=limits)
    app.add_middleware(
        RequestLog,
        log=lambda: state.log,
        clock=clock,
        templates=cache(lambda: route_templates(app)),
    )
