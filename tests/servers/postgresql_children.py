"""What the tests run in processes of their own: ``python -m tests.servers.postgresql_children``."""

from __future__ import annotations

import sys

from quark.storage.documents import update
from quark.storage.postgres import PostgresEngine, PostgresStore
from tests.storage.building import batch, losses, record, run_record


def write(url: str, namespace: str, run_id: str, writer_id: str, count: str) -> None:
    """Append so many frames of an event and a point each, and merge now and then."""
    engine = PostgresEngine(url)
    store = PostgresStore(engine, namespace)
    store.append(batch(1, 1, run_record(), run_id=run_id, writer_id=f"creator-{writer_id}"))
    for seq in range(1, int(count) + 1):
        own = losses(seq, [float(seq)], key=f"{writer_id}/{seq % 7}")
        content = (losses(seq, [float(seq)]), own, record(seq))
        store.append(batch(seq, seq, *content, run_id=run_id, writer_id=writer_id))
        store.points.merge(run_id, final=seq % 25 == 0)
    store.close()
    engine.close()


def count_up(url: str, namespace: str, times: str) -> None:
    """Change one document so many times."""
    engine = PostgresEngine(url)
    store = PostgresStore(engine, namespace)
    for _ in range(int(times)):
        update(store.documents, "counter", "a", lambda body: {"n": (body or {"n": 0})["n"] + 1})
    engine.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
