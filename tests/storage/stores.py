"""Every store the contract suites run on; a new one is a line in :data:`STORES`.

``pytest --stores NAME,NAME`` chooses: also among those that need a server, which are in
``tests/storage/server_stores.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from quark.storage.embedded import EmbeddedStore
from quark.storage.memory import MemoryStore
from quark.storage.model import Batch
from quark.storage.protocols import Store
from tests.storage.http_stores import store_over_http


class EagerlyMergingStore(EmbeddedStore):
    """An embedded store in which nothing stays pending."""

    def append(self, batch: Batch) -> int:
        new_frame_count = super().append(batch)
        self.points.merge(batch.run_id, final=True)
        return new_frame_count


STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda tmp_path: MemoryStore(),
    "embedded": lambda tmp_path: EmbeddedStore(tmp_path / ".quark"),
    "embedded-merged": lambda tmp_path: EagerlyMergingStore(tmp_path / ".quark"),
    "http": lambda tmp_path: store_over_http(),
}
