"""The store under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quark.storage.protocols import Store
from tests.storage.http_stores import stop_services
from tests.storage.stores import STORES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a ``store`` on every store that ``--stores`` names.

    A module with a ``store`` of its own is about that one alone.
    """
    if "store" not in metafunc.fixturenames or hasattr(metafunc.module, "store"):
        return
    chosen = metafunc.config.getoption("--stores")
    names = chosen.split(",") if chosen else list(STORES)
    metafunc.parametrize("store", names, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param in STORES:
        store = STORES[request.param](tmp_path)
    else:
        from tests.storage.server_stores import SERVER_STORES

        store = SERVER_STORES[request.param](tmp_path)
    yield store
    store.close()


@pytest.fixture(autouse=True, scope="session")
def _services_stop() -> Iterator[None]:
    yield
    stop_services()
