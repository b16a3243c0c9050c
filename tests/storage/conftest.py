"""The store under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quark.storage.protocols import Store
from tests.storage.stores import STORES


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = STORES[request.param](tmp_path)
    yield store
    store.close()
