"""``quark ui``: the dashboard of one embedded store, for who sits at this machine.

It listens on loopback alone. The address that is opened carries a word drawn by chance, which
becomes a cookie; other users of the machine, and pages of other sites, do not have it. The host
that a request names is looked at too, since a site can have its own name point to loopback.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from quark.dashboard.app import PREFIX, dashboard_app
from quark.dashboard.place import Place
from quark.errors import AuthenticationError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from quark.storage.protocols import Store

_COOKIE = "quark_ui"


class LocalDesk:
    """Lets in who has the word.

    Args:
        store: What is looked at.
        port: Where the dashboard listens; several of them have cookies of their own.
    """

    def __init__(self, store: Store, *, port: int, token: str | None = None) -> None:
        self._store = store
        self._cookie = f"{_COOKIE}_{port}"
        self.token = token or secrets.token_urlsafe(24)

    async def place(self, request: Request) -> Place:
        """Return the store."""
        given = request.cookies.get(self._cookie, "")
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            raise AuthenticationError(
                "This page is not open any more. Start 'quark ui' again, and use the address that "
                "it prints."
            )
        return Place(
            store=self._store,
            workspace="local",
            storage_dir="",
            user="you",
            may_write=True,
            kind="local",
        )

    async def enter(self, request: Request) -> Response:
        """Turn the word in the address into a cookie."""
        given = request.query_params.get("token", "")
        answer = RedirectResponse(f"{PREFIX}/")
        if secrets.compare_digest(given.encode(), self.token.encode()):
            answer.set_cookie(
                self._cookie, self.token, httponly=True, samesite="strict", path=PREFIX
            )
        return answer


def local_app(desk: LocalDesk) -> ASGIApp:
    """Return the application of ``quark ui``."""
    app = dashboard_app(desk, more=[Route(f"{PREFIX}/enter", desk.enter)])
    return TrustedHostMiddleware(app, allowed_hosts=["127.0.0.1", "localhost"])
