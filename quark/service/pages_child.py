"""A process that answers heavy views of the dashboard for a service, which starts it.

It only reads, and what it is told has passed the door: which workspace, and what is asked.
"""

from __future__ import annotations

from typing import Any

from quark import jsonio
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.routes import VIEWS
from quark.service.child_process import be_child
from quark.service.config import MIB
from quark.service.stores import StoreKey, Stores

#: Whoever sends points comes first.
_NICENESS = 10
_MEMORY_BYTES = 4096 * MIB
_HEAVY = {view.path: view for view in VIEWS if view.is_heavy}


def answer(stores: Stores, told: list[Any]) -> bytes:
    """Return the body of the view that is told."""
    workspace, storage_dir, path, names, query = told
    key = StoreKey(workspace, storage_dir)
    place = Place(
        store=stores.get(key),
        workspace=workspace,
        storage_dir=storage_dir,
        user="",
        may_write=False,
        kind="service",
    )
    asked = Asked(names, [(name, value) for name, value in query])
    return jsonio.raw_dumps(_HEAVY[path].answer(place, asked))


if __name__ == "__main__":
    be_child(answer, niceness=_NICENESS, memory_bytes=_MEMORY_BYTES)
