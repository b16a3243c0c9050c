"""Requests of browsers, below ``/ui``: which are public, and the cookie of those that are not.

Pages and their files are the same for everybody and hold nothing of a run, so they are public. What
they show comes from below ``/ui/api``, and there the cookie of a session lets a browser in; nowhere
else does it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

#: The path of the dashboard, and of the JSON behind its pages.
PAGES = "/ui"
VIEWS = f"{PAGES}/api"
LOGIN = f"{PAGES}/login"

_COOKIE = "quark_session"
_PORT = re.compile(rb":([0-9]{1,5})")
_USUAL_PORTS = frozenset({b"80", b"443"})


def is_of_dashboard(scope: Scope) -> bool:
    """Say whether a request is one to the dashboard."""
    path: str = scope.get("path", "")
    return scope["type"] == "http" and (path == PAGES or path.startswith(f"{PAGES}/"))


def is_view(scope: Scope) -> bool:
    """Say whether a request is one that a session's cookie lets in."""
    path: str = scope.get("path", "")
    return scope["type"] == "http" and path.startswith(f"{VIEWS}/")


def is_page(scope: Scope) -> bool:
    """Say whether a request needs no key: one of a browser for a page or one of its files."""
    return (
        is_of_dashboard(scope)
        and scope["method"] in ("GET", "HEAD")
        and scope["path"] != VIEWS
        and not is_view(scope)
    )


def cookie_name(scope: Scope) -> str:
    """Return what the session's cookie is called at the address that a request names.

    Browsers do not tell ports apart, so two services on one machine name theirs after the port.

    >>> cookie_name({"headers": [(b"host", b"quark.example.com:8321")]})
    'quark_session_8321'
    >>> cookie_name({"headers": [(b"host", b"quark.example.com")]})
    'quark_session'
    """
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    found = _PORT.search(host.rpartition(b"]")[2])
    port = b"" if found is None or found[1] in _USUAL_PORTS else found[1]
    return f"{_COOKIE}_{port.decode()}" if port else _COOKIE


def session_text(scope: Scope) -> str | None:
    """Return the key that a request's cookie holds, None if none or several."""
    name = cookie_name(scope)
    given = []
    for header, value in scope["headers"]:
        if header != b"cookie":
            continue
        for part in value.decode("latin-1").split(";"):
            key, _, text = part.strip().partition("=")
            if key == name:
                given.append(text.strip())
    return given[0] if len(given) == 1 and given[0] else None
