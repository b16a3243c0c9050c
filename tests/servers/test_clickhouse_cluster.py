"""Points in a cluster: replicated by ClickHouse, sharded by run, with a replica killed for real."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quark.errors import RecordRejectedError, RunNotFoundError, SessionStoreError
from quark.storage.clickhouse.engine import ClickHouseEngine
from quark.storage.clickhouse.points import ClickHousePoints
from quark.storage.embedded import EmbeddedStore
from quark.storage.joined import JoinedStore
from quark.storage.protocols import Store
from tests.storage.building import batch, create_run, losses
from tests.support.servers.clickhouse import ClickHouseProcess
from tests.support.servers.clickhouse_cluster import ClickHouseCluster, clickhouse_cluster

pytestmark = pytest.mark.slow

RUNS = [f"run-{number}" for number in range(6)]
FRAMES_A_BATCH = 10


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseCluster]:
    with clickhouse_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def engine(
    cluster: ClickHouseCluster, request: pytest.FixtureRequest
) -> Iterator[ClickHouseEngine]:
    engine = ClickHouseEngine(cluster.url(request.node.name.replace("[", "_").replace("]", "")))
    yield engine
    engine.close()


class Training:
    """Appends batches of a run until told to stop, each again and again until it is taken."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.run_id = run_id
        self.batch_count = 0
        self.refusals = 0
        self._store = store
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._append, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Return how many frames were acknowledged."""
        self._stopping.set()
        self._thread.join(120)
        assert not self._thread.is_alive()
        return self.batch_count * FRAMES_A_BATCH

    def _append(self) -> None:
        while not self._stopping.is_set():
            first = self.batch_count * FRAMES_A_BATCH + 1
            values = [float(seq) for seq in range(first, first + FRAMES_A_BATCH)]
            last = first + FRAMES_A_BATCH - 1
            try:
                self._store.append(batch(first, last, losses(first, values), run_id=self.run_id))
            except (RecordRejectedError, RunNotFoundError):
                raise
            except SessionStoreError:
                self.refusals += 1
                self._stopping.wait(0.05)
                continue
            self.batch_count += 1


def wait_until(condition: Callable[[], bool], seconds: float = 180) -> None:
    for _ in range(int(seconds / 0.1)):
        if condition():
            return
        threading.Event().wait(0.1)
    raise AssertionError(f"not within {seconds} s")


def count(replica: ClickHouseProcess, database: str, run_id: str) -> int:
    """Return how many points of a run a replica has on its own disk."""
    return int(
        replica.query(
            f"SELECT count() FROM `{database}`.point_local FINAL WHERE run_id = '{run_id}'"
        )
    )


def test_a_replica_killed_while_runs_log_costs_no_point(
    cluster: ClickHouseCluster, engine: ClickHouseEngine, tmp_path: Path
) -> None:
    database = engine.server.database
    store = JoinedStore(EmbeddedStore(tmp_path / ".quark"), ClickHousePoints(engine, "team"))
    for run_id in RUNS:
        create_run(store, run_id)
    victim = cluster.replicas[0][0]  # the one that all requests go to
    trainings = [Training(store, run_id) for run_id in RUNS]
    wait_until(lambda: all(each.batch_count >= 5 for each in trainings))

    victim.kill()

    so_far = [each.batch_count for each in trainings]
    wait_until(
        lambda: all(each.batch_count >= n + 5 for each, n in zip(trainings, so_far, strict=True))
    )
    assert all(len(store.points.series(run_id, "loss")) > 0 for run_id in RUNS)
    victim.start()
    logged = {each.run_id: each.stop() for each in trainings}

    def on_disk(shard: int, replica: int) -> dict[str, int]:
        return {run: count(cluster.replicas[shard][replica], database, run) for run in RUNS}

    wait_until(lambda: all(on_disk(shard, 0) == on_disk(shard, 1) for shard in (0, 1)))
    shards = [on_disk(0, 0), on_disk(1, 0)]
    assert {run: shards[0][run] + shards[1][run] for run in RUNS} == logged
    assert all(0 in (shards[0][run], shards[1][run]) for run in RUNS)  # a run is on one shard
    assert all(any(shard.values()) for shard in shards)
    for run_id in RUNS:
        series = store.points.series(run_id, "loss")
        assert series.seq.tolist() == list(range(1, logged[run_id] + 1))
        assert series.value.tolist() == series.seq.tolist()
        stats = store.points.keys(run_id)["loss"]
        assert (stats.count, stats.last_value) == (logged[run_id], logged[run_id])
        assert store.points.buckets(run_id, "loss", 1).count.tolist() == [logged[run_id]]
    store.records.delete_run(RUNS[0])
    wait_until(lambda: not any(count(each, database, RUNS[0]) for each in cluster.all))
    store.close()


def test_with_a_quorum_nothing_is_acknowledged_that_one_disk_alone_has(
    cluster: ClickHouseCluster, tmp_path: Path
) -> None:
    engine = ClickHouseEngine(cluster.url("quorum", quorum="2", timeout_seconds="20"))
    store = JoinedStore(EmbeddedStore(tmp_path / ".quark"), ClickHousePoints(engine, "team"))
    for run_id in RUNS:
        create_run(store, run_id)
        store.append(batch(1, 2, losses(1, [1.0, 2.0]), run_id=run_id))
    for run_id in RUNS:
        assert sorted(count(each, "quorum", run_id) for each in cluster.all) == [0, 0, 2, 2]
    for shard in cluster.replicas:
        shard[1].kill()

    with pytest.raises(SessionStoreError, match=r"code (285|286|319)\b") as caught:
        store.append(batch(3, 3, losses(3, [3.0]), run_id=RUNS[0]))
    assert caught.value.retry_after_seconds
    assert store.points.series(RUNS[0], "loss").value.tolist() == [1.0, 2.0]

    for shard in cluster.replicas:
        shard[1].start()

    def taken() -> bool:
        try:
            return store.append(batch(3, 3, losses(3, [3.0]), run_id=RUNS[0])) == 1
        except SessionStoreError:
            return False

    wait_until(taken)
    assert store.points.series(RUNS[0], "loss").value.tolist() == [1.0, 2.0, 3.0]
    assert sorted(count(each, "quorum", RUNS[0]) for each in cluster.all) == [0, 0, 3, 3]
    store.close()
    engine.close()
