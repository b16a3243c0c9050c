"""What passes calls on to another store leaves none out, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quark.storage.embedded import EmbeddedStore
from quark.storage.passing import PassingPoints, PassingRecords, PassingStore
from quark.storage.protocols import PointStore, RecordStore, Store
from tests.storage.building import batch, create_run, log, losses, points_of, record


@pytest.mark.parametrize(
    ("promised", "kept"),
    [(Store, PassingStore), (RecordStore, PassingRecords), (PointStore, PassingPoints)],
)
def test_every_call_of_a_store_is_passed_on(promised: Any, kept: Any) -> None:
    names = {name for name in vars(promised) if not name.startswith("_")}

    assert names <= set(vars(kept))


def test_a_store_that_passes_on_answers_as_the_other_one(tmp_path: Path) -> None:
    other = EmbeddedStore(tmp_path / ".quark")
    store: Store = PassingStore(other)
    records, points = PassingRecords(other.records), PassingPoints(other)
    create_run(store)
    log(store, losses(1, [3.0, 2.0, 1.0]))
    score: dict[str, Any] = {"score_key": "overall", "category": "overall", "score": 41.5}
    store.append(batch(1, 1, record(1, "health_score", status="watch", **score), writer_id="w2"))

    assert (store.target, store.run_dir("run-1")) == (other.target, other.run_dir("run-1"))
    assert store.position("run-1", "w1") == 3
    assert records.get_run("run-1") == other.records.get_run("run-1")
    assert records.healths() == {"run-1": (41.5, "watch")}
    assert records.count("run-1") == {"run": 1, "health_score": 1}
    assert points_of(points.series("run-1", "loss")) == points_of(
        other.points.series("run-1", "loss")
    )
    assert points.keys("run-1") == other.points.keys("run-1")
    assert points.buckets("run-1", "loss", 3).mean.tolist() == [3.0, 2.0, 1.0]
    records.delete_run("run-1")
    assert store.records.list_runs() == ()
    store.close()
