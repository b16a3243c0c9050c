"""The dashboard in the service: the pages of ``quark ui``, behind a login.

To log in, a page sends a user key as every client does, in the header ``Authorization``; so the
door looks at it, counts wrong ones and notes them. The answer's cookie holds a key of its own, see
:mod:`quark.service.identity.sessions`. No script can read it, no other site's page can send it,
and it opens what is below ``/ui/api`` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quark import jsonio
from quark.clock import format_timestamp
from quark.dashboard.app import check_own_page, dashboard_app
from quark.dashboard.place import Place
from quark.errors import AuthenticationError
from quark.service.access import Access
from quark.service.guards.door import BY_COOKIE, CALLER, actor_of
from quark.service.guards.page_requests import LOGIN, PAGES, VIEWS, cookie_name
from quark.service.identity.model import Caller, Scope
from quark.service.identity.sessions import begin_session
from quark.service.pages_judging import ServiceJudge
from quark.service.pages_store import PageStore
from quark.service.pages_views import ViewsElsewhere
from quark.service.pages_writing import ServiceWriter
from quark.service.stores import StoreKey, check_storage_dir

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from quark.service.state import ServiceState


def pages_app(state: ServiceState) -> Starlette:
    """Return the dashboard of a service."""
    desk = ServiceDesk(state)
    routes = [
        Route(LOGIN, desk.log_in, methods=["POST"]),
        Route(f"{VIEWS}/logout", desk.log_out, methods=["POST"]),
    ]
    return dashboard_app(desk, more=routes, is_remote=True)


class ServiceDesk:
    """Lets in who the door let through, into the store of their workspace that they name."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state

    async def place(self, request: Request) -> Place:
        """Return the store that ``storage_dir`` of the query chooses, else the workspace's own."""
        caller: Caller | None = request.scope.get(CALLER)
        if caller is None:  # the door and the routes must agree, but this is where it counts
            raise AuthenticationError("Nobody is signed in here. Sign in with a user key.")
        state = self._state
        asked = request.query_params.get("storage_dir", "")
        key = StoreKey(caller.workspace, check_storage_dir(asked))
        store = state.stores.find(key)
        if store is None:
            store = await run_in_threadpool(state.stores.get, key)
        access = Access(
            caller=caller,
            workspace=caller.workspace,
            storage_dir=key.storage_dir,
            store=store,
            identity=state.identity,
            actor=actor_of(request.scope),
        )
        expires_us = caller.expires_us
        return Place(
            store=PageStore(store, key, state.reading),
            workspace=caller.workspace,
            storage_dir=key.storage_dir,
            user=caller.user,
            may_write=caller.scope.includes(Scope.WRITE),
            kind="service",
            writer=ServiceWriter(state, access),
            judge=ServiceJudge(state, access),
            elsewhere=ViewsElsewhere(state.views, key),
            expires_at=None if expires_us is None else format_timestamp(expires_us),
        )

    async def log_in(self, request: Request) -> Response:
        """Turn the user key that the door has looked at into a session's cookie."""
        check_own_page(request)
        state, caller = self._state, request.scope[CALLER]
        issued = await run_in_threadpool(
            begin_session, state.identity.keys, caller, state.clock, by=actor_of(request.scope)
        )
        expires_us = issued.key.expires_us
        assert expires_us is not None
        body = {
            "user": caller.user,
            "workspace": caller.workspace,
            "expires_at": format_timestamp(expires_us),
        }
        answer = Response(jsonio.dumps(body), media_type="application/json")
        answer.set_cookie(
            cookie_name(request.scope),
            issued.text,
            max_age=max(1, (expires_us - state.clock.time_us()) // 1_000_000),
            path=PAGES,
            secure=self._is_secure(request),
            httponly=True,
            samesite="strict",
        )
        return answer

    async def log_out(self, request: Request) -> Response:
        """Revoke the session's key. A user key that a program sends stays as it is."""
        check_own_page(request)
        caller: Caller = request.scope[CALLER]
        if request.scope[BY_COOKIE]:
            keys, actor = self._state.identity.keys, actor_of(request.scope)
            await run_in_threadpool(keys.revoke, caller.key_id, by=actor)
        answer = Response(b"{}", media_type="application/json")
        answer.delete_cookie(
            cookie_name(request.scope),
            path=PAGES,
            secure=self._is_secure(request),
            httponly=True,
            samesite="strict",
        )
        return answer

    def _is_secure(self, request: Request) -> bool:
        """Say whether the browser speaks TLS, to us or to a proxy before us."""
        return request.url.scheme == "https" or bool(self._state.config.behind_proxy)
