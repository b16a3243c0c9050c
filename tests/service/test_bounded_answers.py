"""What one request makes the service hold in memory has an end, and the answer stays the same."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quark.persistence.wire import SERIES_TYPE
from quark.service.documents import write_listed
from quark.service.routes import points
from quark.storage.documents import Document, DocumentChange
from quark.storage.embedded import EmbeddedStore
from tests.storage.building import batch, create_run, losses
from tests.support.service import running_service, service_config

MIB = 1 << 20


class Counting(io.BytesIO):
    """Takes bytes and keeps none."""

    size_bytes = 0

    def write(self, data: Any, /) -> int:
        count = len(data)
        self.size_bytes += count
        return count


def test_a_long_list_of_documents_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / ".quark")
    for number in range(40):
        body = {"text": f"{number:04d}" * (MIB // 4)}
        store.documents.apply([DocumentChange("sweep", f"p/{number:02d}", body)])
    target = Counting()
    tracemalloc.start()
    try:
        size_bytes = write_listed(store.documents, "sweep", "p/", 0, target)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        store.close()

    assert size_bytes == target.size_bytes > 40 * MIB
    assert most_bytes < 24 * MIB


def test_a_long_list_comes_through_a_service_as_it_rests(tmp_path: Path) -> None:
    with running_service(service_config(tmp_path)) as service:
        store = service.store()
        assert store.documents.list("sweep") == ()
        expected: list[Document | None] = []
        for number in range(9):
            body = {"text": "é" * (number * 200_000), "n": number}
            expected += store.documents.apply([DocumentChange("sweep", f"p/{number}", body)])
        found = store.documents.list("sweep", "p/")
        newer = store.documents.list("sweep", after=expected[6].revision)  # type: ignore[union-attr]
        store.close()

    assert found == tuple(expected)
    assert newer == tuple(expected[7:])


def test_series_that_are_too_long_together_are_asked_for_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(points, "MAX_PACKED_POINTS", 2500)
    keys = [f"k{number}" for number in range(7)]
    with running_service(service_config(tmp_path)) as service:
        store = service.store()
        create_run(store)
        values = np.arange(1000.0)
        blocks = [losses(1, (values + n).tolist(), key=key) for n, key in enumerate(keys)]
        store.append(batch(1, 1000, *blocks))
        store.append(batch(1001, 4000, losses(1001, [0.5] * 3000, key="long")))

        found = store.points.many_series("run-1", [*keys, "long", "none"])
        lengths = [len(series) for series in found.values()]
        path = store.http.path("runs", "run-1", "series")
        with pytest.raises(ValueError, match="fewer keys at once"):
            store.http.request("GET", path, query=[("key", k) for k in keys], accept=SERIES_TYPE)
        newest = [("limit", 300), *(("key", key) for key in keys)]
        assert store.http.request("GET", path, query=newest, accept=SERIES_TYPE)
        store.close()

    assert list(found) == [*keys, "long", "none"]
    assert lengths == [1000] * 7 + [3000, 0]
    for number, key in enumerate(keys):
        assert found[key].value.tolist() == (values + number).tolist()
