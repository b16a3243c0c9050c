"""The dashboard as an ASGI application, below ``/ui``: its files, its pages, its JSON.

Pages are one HTML file whose program reads the address; every address below ``/ui`` that is no
file and no JSON gives that file, so a page can be linked to. Nothing is loaded from elsewhere, and
the Content-Security-Policy lets nothing be.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from quark import jsonio
from quark.dashboard.asked import Asked
from quark.dashboard.headers import PageHeaders
from quark.dashboard.place import Desk, Place
from quark.dashboard.routes import VIEWS, View
from quark.dashboard.static_files import StaticFiles, takes_gzip
from quark.errors import PermissionDeniedError, QuarkError, SchemaValidationError
from quark.persistence.wire import error_body, status_of

PREFIX = "/ui"
STATIC = Path(__file__).parent / "static"
#: Requests that change something carry it; a form of another site cannot.
CHANGING_HEADER = "X-Quark-Dashboard"
#: Views that are worked out at once. Others wait, so that many tabs leave room for who logs.
MAX_VIEWS_AT_ONCE = 8
#: Of those that may work for seconds; they keep no others waiting.
MAX_HEAVY_AT_ONCE = 4

_MAX_BODY_BYTES = 1 << 20
_PACKED_ABOVE_BYTES = 4096
#: What a browser says of the page that makes a request. Left out by old ones, and by programs.
_OWN_SITES = frozenset({"same-origin", "none"})


def dashboard_app(
    desk: Desk, *, more: Sequence[BaseRoute] = (), is_remote: bool = False
) -> Starlette:
    """Return the application.

    Args:
        desk: Lets requests in.
        more: Routes of whoever serves it, such as a login; they come first.
        is_remote: Whether there is a network between, for which packing pays.
    """
    limiter, heavy_limiter = CapacityLimiter(MAX_VIEWS_AT_ONCE), CapacityLimiter(MAX_HEAVY_AT_ONCE)
    files = StaticFiles(STATIC)

    async def page(request: Request) -> Response:
        return await files.answer(request, "index.html")

    async def file(request: Request) -> Response:
        return await files.answer(request, request.path_params["path"])

    api: list[BaseRoute] = [
        Route(
            view.path,
            _endpoint(view, desk, heavy_limiter if view.is_heavy else limiter, is_remote),
            methods=[view.method],
        )
        for view in VIEWS
    ]
    api.append(Route("/{rest:path}", _no_such_view, methods=["GET", "POST"]))
    routes: list[BaseRoute] = [
        *more,
        Mount(f"{PREFIX}/api", routes=api),
        Route(f"{PREFIX}/static/{{path:path}}", file),
        Route(PREFIX, _to_start),
        Route(PREFIX + "/{page:path}", page),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(PageHeaders)],
        exception_handlers={
            QuarkError: _refused,
            ClientDisconnect: _gone,
            Exception: _fault,
        },
    )


def check_own_page(request: Request) -> None:
    """Refuse a request that a page of another site makes in the name of who is logged in.

    Cookies are kept from such pages already (``SameSite``), but not from those of another host of
    the same domain.

    Raises:
        PermissionDeniedError: It is one, or changes something without the header that says that
            it is meant.
    """
    if request.headers.get("sec-fetch-site", "none") not in _OWN_SITES:
        raise PermissionDeniedError(
            "The dashboard answers its own pages, not those of other sites."
        )
    if request.method not in ("GET", "HEAD") and CHANGING_HEADER not in request.headers:
        raise PermissionDeniedError(f"A request that changes something needs {CHANGING_HEADER}.")


def route_templates(app: Starlette) -> dict[object, str]:
    """Return the declared path of every endpoint of ``app``."""
    return dict(_templates(app.routes, ""))


def _templates(routes: Sequence[BaseRoute], prefix: str) -> list[tuple[object, str]]:
    found: list[tuple[object, str]] = []
    for route in routes:
        if isinstance(route, Mount):
            found += _templates(route.routes, prefix + route.path)
        elif isinstance(route, Route):
            found.append((route.endpoint, prefix + route.path))
    return found


def _endpoint(
    view: View, desk: Desk, limiter: CapacityLimiter, is_remote: bool
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        place = await desk.place(request)
        check_own_page(request)
        if view.writes and not place.may_write:
            raise PermissionDeniedError(f"{place.user!r} may look at runs here, not change them.")
        body = await _body(request) if view.method == "POST" else None
        asked = Asked(request.path_params, request.query_params.multi_items(), body)
        packs = is_remote and takes_gzip(request)
        return await run_sync(partial(_answered, view, place, asked, packs), limiter=limiter)

    return endpoint


def _answered(view: View, place: Place, asked: Asked, packs: bool) -> Response:
    """Return a view's answer; on a thread, so that nobody waits while it is written down."""
    body = None
    if view.is_heavy and place.elsewhere is not None:
        body = place.elsewhere.answer(view.path, asked)
    if body is None:
        answer = view.answer(place, asked)
        if isinstance(answer, Response):
            return answer
        body = jsonio.raw_dumps(answer)
    if not packs or len(body) < _PACKED_ABOVE_BYTES:
        return Response(body, media_type="application/json")
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(gzip.compress(body, 4), headers=headers, media_type="application/json")


async def _body(request: Request) -> dict[str, Any]:
    pieces, size_bytes = [], 0
    async for piece in request.stream():
        size_bytes += len(piece)
        if size_bytes > _MAX_BODY_BYTES:
            raise SchemaValidationError(f"The body is larger than {_MAX_BODY_BYTES} bytes.")
        pieces.append(piece)
    body = jsonio.loads(b"".join(pieces) or b"{}")
    if not isinstance(body, dict):
        raise SchemaValidationError("The body must be a JSON object.")
    return body


def _error(status: int, kind: str, message: str) -> Response:
    body = jsonio.dumps(error_body(kind, message))
    return Response(body, status, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, QuarkError)
    kinds = type(error).__mro__
    public = next(kind.__name__ for kind in kinds if kind.__module__ == "quark.errors")
    answer = _error(status_of(error), public, str(error))
    if answer.status_code == 503:
        seconds = getattr(error, "retry_after_seconds", None) or 1.0
        answer.headers["Retry-After"] = str(math.ceil(seconds))
    return answer


async def _gone(request: Request, error: Exception) -> Response:
    return Response(None, 499)  # nobody reads it


async def _fault(request: Request, error: Exception) -> Response:
    """Say that it is our fault; what it is stands in the log, not here."""
    message = "The dashboard has a fault: this view failed. Its log says why."
    return _error(500, "SessionStoreError", message)


async def _no_such_view(request: Request) -> Response:
    return _error(404, "SessionStoreError", "The dashboard has no such view.")


async def _to_start(request: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/")
