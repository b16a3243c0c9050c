"""What the tests kill: ``python -m tests.servers.clickhouse_children NAME URL NAMESPACE ROOT``.

Each function prints a line when it has come to the point that its test waits for.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from quark.storage.clickhouse.engine import ClickHouseEngine
from quark.storage.clickhouse.points import ClickHousePoints
from quark.storage.embedded import EmbeddedStore
from quark.storage.joined import JoinedStore
from quark.storage.model import Batch
from quark.storage.protocols import Store
from tests.storage.building import batch, losses, record, run_record


class NeverApplies(EmbeddedStore):
    """A store of records that stops for ever where points are stored and records are not."""

    def append(self, batch: Batch) -> int:
        print("inside", flush=True)
        signal.pause()
        raise AssertionError("unreachable")


def append_half(store: Store) -> None:
    """Append frames 3 to 6; see :class:`NeverApplies`."""
    store.append(batch(3, 6, losses(3, [3.0, 4.0, 5.0, 6.0]), record(3)))


def append_on(store: Store) -> None:
    """Append three frames at a time, from where the writer stopped, until killed."""
    store.append(batch(1, 1, run_record(), writer_id="creator"))
    first = store.position("run-1", "w1") + 1
    while True:
        values = [float(seq) for seq in range(first, first + 3)]
        store.append(batch(first, first + 2, losses(first, values), record(first)))
        first += 3
        print(first - 1, flush=True)


def main(name: str, url: str, namespace_id: str, root: str) -> None:
    engine = ClickHouseEngine(url, insert_interval_seconds=0.0)
    kind = NeverApplies if name == "append_half" else EmbeddedStore
    store = JoinedStore(kind(Path(root)), ClickHousePoints(engine, namespace_id))
    {"append_half": append_half, "append_on": append_on}[name](store)


if __name__ == "__main__":
    main(*sys.argv[1:])
