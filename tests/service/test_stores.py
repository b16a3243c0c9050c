"""Which stores a service keeps open, and for whom."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from quark.errors import SessionStoreError
from quark.service.config import ServiceConfig
from quark.service.stores import StoreKey, Stores
from tests.storage.building import create_run


def test_who_asks_for_ever_other_stores_closes_none_of_another_workspace(tmp_path: Path) -> None:
    with contextlib.closing(Stores(ServiceConfig(root=tmp_path))) as stores:
        theirs = stores.get(StoreKey("quiet"))
        create_run(theirs)
        first = stores.get(StoreKey("busy", "0"))

        for number in range(1, 400):
            stores.get(StoreKey("busy", str(number)))

        assert theirs.records.get_run("run-1").id == "run-1"
        assert stores.find(StoreKey("quiet")) is theirs
        assert stores.find(StoreKey("busy", "399")) is not None
        assert stores.find(StoreKey("busy", "0")) is None
        with pytest.raises(SessionStoreError, match="closed"):
            first.records.list_runs()
        assert stores.open_count < 100


def test_no_more_stores_are_open_than_there_may_be(tmp_path: Path) -> None:
    with contextlib.closing(Stores(ServiceConfig(root=tmp_path))) as stores:
        for workspace in range(20):
            for number in range(30):
                stores.get(StoreKey(f"team-{workspace}", str(number)))

        assert stores.open_count == 256
        assert stores.find(StoreKey("team-0", "0")) is None
        assert stores.find(StoreKey("team-19", "29")) is not None
