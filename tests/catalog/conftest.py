"""The store that artifacts are kept in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quark.storage.embedded import EmbeddedStore
from quark.storage.memory import MemoryStore
from quark.storage.protocols import Store


@pytest.fixture(params=["memory", "embedded"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: Store = (
        MemoryStore() if request.param == "memory" else EmbeddedStore(tmp_path / ".quark")
    )
    yield store
    store.close()
