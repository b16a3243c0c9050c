"""Asks views as the application does, without HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quark import jsonio
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.routes import VIEWS
from quark.storage.protocols import Store


def place_of(store: Store, *, may_write: bool = True) -> Place:
    """Return what a request to this store may see."""
    return Place(
        store=store,
        workspace="local",
        storage_dir="",
        user="you",
        may_write=may_write,
        kind="local",
    )


def ask(
    store: Store, path: str, names: Mapping[str, str] | None = None, /, **query: Any
) -> dict[str, Any]:
    """Return what a GET view answers, after it went through JSON.

    A list gives its parameter several times; ``from_`` stands for ``from``.
    """
    (view,) = (one for one in VIEWS if one.path == path and one.method == "GET")
    given = [
        (name.rstrip("_"), str(one))
        for name, value in query.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    answer = view.answer(place_of(store), Asked(names or {}, given))
    plain: dict[str, Any] = jsonio.loads(jsonio.raw_dumps(answer))
    return plain
