"""A store to read one run from, whoever is writing it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from quark.persistence.open import open_store
from quark.session import registry
from quark.session.places import local_root
from quark.session.reading import as_of_now
from quark.settings import Settings as QuarkSettings

if TYPE_CHECKING:
    from quark.storage.protocols import Store


@contextlib.contextmanager
def reading(where: QuarkSettings, run_id: str | None = None) -> Iterator[Store]:
    """Give the store, with everything in it that was logged to the run so far."""
    session = None if run_id is None else registry.find(run_id, str(local_root(where)))
    if session is not None and where.mode != "offline":
        with session.reading() as store:
            yield store
        return
    if session is not None:
        session.handle.settle()
    store = open_store(where)
    try:
        if run_id is None:
            yield store
        else:
            with as_of_now(store, run_id, where) as complete:
                yield complete
    finally:
        store.close()
