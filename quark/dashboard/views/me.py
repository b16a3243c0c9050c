"""Who looks, at what, and what they may do."""

from __future__ import annotations

from typing import Any

from quark import __version__
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place


def me(place: Place, asked: Asked) -> dict[str, Any]:
    """Return what the frame around every page says."""
    return {
        "user": place.user,
        "workspace": place.workspace,
        "storage_dir": place.storage_dir,
        "may_write": place.may_write,
        "kind": place.kind,
        "expires_at": place.expires_at,
        "version": __version__,
    }
