"""When points are packed, into what, and what it leaves behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quark.clock import SYSTEM_CLOCK
from quark.errors import DamagedFileError
from quark.storage import layout, merge, merge_write
from quark.storage.chunk import CHUNK_POINTS
from quark.storage.embedded import EmbeddedStore
from quark.storage.model import NO_STEP, PointBlock, StepRange
from tests.storage.building import bits, block, create_run, log, losses


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / ".quark")
    create_run(store)
    yield store
    store.close()


def ask(store: EmbeddedStore, sql: str) -> list[Any]:
    connection = sqlite3.connect(layout.run_db_path(store.root, "run-1"), isolation_level=None)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def log_rows(store: EmbeddedStore, first_seq: int, rows: int, keys: int, seed: int = 0) -> Any:
    """Log so many rows of so many keys and return their values."""
    values = np.random.default_rng([seed, first_seq]).standard_normal((rows, keys))
    seq = np.arange(first_seq, first_seq + rows)
    log(
        store,
        PointBlock(
            keys=tuple(f"k{number}" for number in range(keys)),
            seq=seq,
            step=seq,
            epoch=np.full(rows, NO_STEP),
            time_us=seq * 1_000,
            values=values,
        ),
    )
    return values


def merge_at(point_count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make merges due at so many pending points."""
    monkeypatch.setattr(merge, "MERGE_POINTS", point_count)
    monkeypatch.setattr(merge, "MERGE_POINTS_PER_KEY", 1)


def test_a_merge_waits_until_enough_is_pending(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge_at(100, monkeypatch)
    log_rows(store, 1, 99, 1)
    store.points.merge("run-1")
    waiting = ask(store, "SELECT count(*) FROM segment")

    log_rows(store, 100, 1, 1)
    store.points.merge("run-1")

    assert waiting == [(1,)]
    assert ask(store, "SELECT count(*) FROM segment") == [(0,)]
    assert ask(store, "SELECT point_count FROM chunk") == [(100,)]


def test_a_wide_run_waits_for_some_hundred_points_a_key(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "MERGE_POINTS", 100)
    for seq in range(1, 257):
        store.points.merge("run-1")
        assert ask(store, "SELECT count(*) FROM segment") == [(seq - 1,)]
        log_rows(store, seq, 1, 10)

    store.points.merge("run-1")

    assert ask(store, "SELECT DISTINCT point_count FROM chunk") == [(256,)]


def test_many_tiny_segments_are_merged_though_they_hold_little(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "MERGE_SEGMENTS", 5)
    for seq in range(1, 6):
        log_rows(store, seq, 1, 1)

    store.points.merge("run-1")

    assert ask(store, "SELECT point_count FROM chunk") == [(5,)]


def test_keys_that_come_together_share_an_axis(store: EmbeddedStore) -> None:
    values = log_rows(store, 1, 5_000, 20)
    log(store, losses(5_001, [1.0, 2.0], key="k3"), losses(5_001, [1.0], key="alone"))

    store.points.merge("run-1", final=True)

    # 19 keys, the one that also came by itself, and the one that only did: two chunks a full key.
    uses = ask(store, "SELECT use_count, count(*) FROM axis GROUP BY use_count ORDER BY use_count")
    assert uses == [(1, 3), (19, 2)]
    assert ask(store, "SELECT max(point_count) FROM chunk") == [(CHUNK_POINTS,)]
    assert bits(store.points.series("run-1", "k7").value) == bits(values[:, 7])


@pytest.mark.parametrize("count", [1, 255, 4_095, 4_096, 4_097, 9_000])
def test_a_chunk_never_holds_more_than_it_may(store: EmbeddedStore, count: int) -> None:
    log_rows(store, 1, count, 2)

    store.points.merge("run-1", final=True)

    sizes = [size for (size,) in ask(store, "SELECT point_count FROM chunk WHERE key_id = 0")]
    assert sizes == [CHUNK_POINTS] * (count // CHUNK_POINTS) + (
        [count % CHUNK_POINTS] if count % CHUNK_POINTS else []
    )


def test_small_chunks_at_the_end_of_a_key_are_joined(store: EmbeddedStore) -> None:
    values = [log_rows(store, 1, 7, 3)]
    store.points.merge("run-1", final=True)
    for first in range(8, 300, 7):
        values.append(log_rows(store, first, 7, 3))
        store.points.merge("run-1", final=True)

    assert ask(store, "SELECT count(*) FROM chunk")[0][0] <= 2 * 3
    assert ask(store, "SELECT count(*) FROM axis")[0][0] <= 2
    for number in range(3):
        found = store.points.series("run-1", f"k{number}").value
        assert bits(found) == bits(np.concatenate(values)[:, number])


def test_rare_keys_do_not_pile_up_chunks_without_a_final_merge(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "MERGE_SEGMENTS", 2)
    for seq in range(1, 100):
        log_rows(store, 2 * seq, 1, 2)
        log(store, losses(2 * seq + 1, [seq], key="rare"))
        store.points.merge("run-1")

    counts = ask(store, "SELECT key_id, count(*) FROM chunk GROUP BY key_id")
    assert all(count <= merge.TAIL_CHUNKS for _, count in counts)
    assert store.points.series("run-1", "rare").value.tolist() == list(range(1, 100))


def test_chunks_of_a_wide_run_are_not_packed_again(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "MERGE_POINTS", 100)
    for first in range(1, 256 * 4, 256):
        log_rows(store, first, 256, 5)
        store.points.merge("run-1")
    log_rows(store, 1_025, 256, 5)
    before = ask(store, "SELECT id FROM chunk ORDER BY id")

    store.points.merge("run-1", final=True)

    assert ask(store, "SELECT id FROM chunk ORDER BY id")[: len(before)] == before


def test_a_merge_that_was_overtaken_throws_its_work_away(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = log_rows(store, 1, 300, 2)
    other = EmbeddedStore(store.root)
    original = merge_write.pack_group
    overtaken: list[bool] = []

    def pack_after_another_merge(group: Any) -> Any:
        if not overtaken:
            overtaken.append(True)
            log_rows(other, 301, 5, 2)
            other.points.merge("run-1", final=True)
        return original(group)

    monkeypatch.setattr(merge, "pack_group", pack_after_another_merge)

    store.points.merge("run-1", final=True)

    found = store.points.series("run-1", "k1").value
    assert len(found) == 305
    assert bits(found[:300]) == bits(values[:, 1])
    assert ask(store, "SELECT sum(point_count) FROM chunk") == [(610,)]
    other.close()


def test_what_arrives_during_a_merge_stays_pending(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_rows(store, 1, 300, 1)
    original = merge_write.pack_group

    def pack_while_logging(group: Any) -> Any:
        log_rows(store, 301, 5, 1)
        return original(group)

    monkeypatch.setattr(merge, "pack_group", pack_while_logging)
    store.points.merge("run-1", final=True)

    assert ask(store, "SELECT sum(point_count) FROM segment") == [(5,)]
    assert store.points.series("run-1", "k0").seq.tolist() == list(range(1, 306))


def test_only_one_process_merges_unless_it_is_the_final_merge(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge_at(10, monkeypatch)
    log_rows(store, 1, 20, 1)
    soon_us = SYSTEM_CLOCK.time_us() + 30_000_000
    ask(store, f"UPDATE meta SET value = '{soon_us}' WHERE name = 'merge_claimed_until_us'")

    store.points.merge("run-1")
    unmerged = ask(store, "SELECT count(*) FROM chunk")
    store.points.merge("run-1", final=True)

    assert unmerged == [(0,)]
    assert ask(store, "SELECT count(*) FROM chunk") == [(1,)]


def test_the_final_merge_gives_space_back(store: EmbeddedStore) -> None:
    path = layout.run_db_path(store.root, "run-1")
    for first in range(1, 20_001, 1_000):
        log_rows(store, first, 1_000, 10)

    store.points.merge("run-1", final=True)

    points, log_file = 200_000, path.with_name("run.db-wal")
    assert path.stat().st_size < 9 * points  # doubles; pending, they took 8 twice
    assert log_file.stat().st_size == 0
    assert ask(store, "PRAGMA freelist_count") == [(0,)]


# -- damage --------------------------------------------------------------------------------------


def flip(store: EmbeddedStore, table: str, row_id: int) -> None:
    """Flip some bits in the middle of a blob."""
    connection = sqlite3.connect(layout.run_db_path(store.root, "run-1"))
    ((body,),) = connection.execute(f"SELECT body FROM {table} WHERE id = ?", (row_id,)).fetchall()
    damaged = bytearray(body)
    damaged[len(damaged) // 2] ^= 0x55
    connection.execute(f"UPDATE {table} SET body = ? WHERE id = ?", (bytes(damaged), row_id))
    connection.commit()
    connection.close()


def test_a_damaged_chunk_is_named_and_stops_no_other_key(store: EmbeddedStore) -> None:
    values = log_rows(store, 1, 9_000, 3)
    store.points.merge("run-1", final=True)
    ((chunk_id,),) = ask(store, "SELECT max(id) FROM chunk WHERE key_id = 1 AND point_count = 4096")
    flip(store, "chunk", chunk_id)

    with pytest.raises(
        DamagedFileError, match=rf"'run-1'.*'k1'.*chunk {chunk_id} .*steps 4097 to 8192"
    ):
        store.points.series("run-1", "k1")

    assert bits(store.points.series("run-1", "k0").value) == bits(values[:, 0])
    assert bits(store.points.series("run-1", "k2").value) == bits(values[:, 2])
    sound = store.points.series("run-1", "k1", StepRange(step_max=4_096))
    assert bits(sound.value) == bits(values[:4_096, 1])
    newest = store.points.series("run-1", "k1", StepRange(limit=100))
    assert bits(newest.value) == bits(values[-100:, 1])
    assert store.points.keys("run-1")["k1"].count == 9_000


def test_a_bucket_of_whole_chunks_unpacks_none_of_them(store: EmbeddedStore) -> None:
    values = log_rows(store, 1, 3 * CHUNK_POINTS, 1)[:, 0]
    store.points.merge("run-1", final=True)
    for (chunk_id,) in ask(store, "SELECT id FROM chunk"):
        flip(store, "chunk", chunk_id)

    found = store.points.buckets("run-1", "k0", 3)

    by_hand = values.reshape(3, CHUNK_POINTS)
    assert found.minimum.tolist() == by_hand.min(axis=1).tolist()
    assert found.maximum.tolist() == by_hand.max(axis=1).tolist()
    assert found.mean == pytest.approx(by_hand.mean(axis=1))
    assert found.last.tolist() == by_hand[:, -1].tolist()


def test_a_damaged_axis_is_named(store: EmbeddedStore) -> None:
    log_rows(store, 1, 10, 2)
    store.points.merge("run-1", final=True)
    flip(store, "axis", 1)

    with pytest.raises(DamagedFileError, match=r"'k0'.*axis 1 of chunk 1"):
        store.points.series("run-1", "k0")


def test_a_damaged_segment_is_set_aside_and_the_rest_is_packed(store: EmbeddedStore) -> None:
    for first in (1, 11, 21):
        log_rows(store, first, 10, 1)
    flip(store, "segment", 2)
    with pytest.raises(DamagedFileError, match="Segment 2 of run 'run-1'"):
        store.points.series("run-1", "k0")

    with pytest.raises(DamagedFileError, match=r"set aside.*segment 2"):
        store.points.merge("run-1", final=True)

    assert store.points.series("run-1", "k0").seq.tolist() == [*range(1, 11), *range(21, 31)]
    assert ask(store, "SELECT source LIKE 'segment 2: %', length(body) > 0 FROM damaged") == [
        (1, 1)
    ]
    store.points.merge("run-1", final=True)


def test_a_damaged_tail_does_not_stop_a_merge(store: EmbeddedStore) -> None:
    log(store, block(["a", "b"], [(1, 1, None, 1, [1.0, 10.0])]))
    store.points.merge("run-1", final=True)
    flip(store, "chunk", 1)
    log(store, block(["a", "b"], [(2, 2, None, 2, [2.0, 20.0])]))

    store.points.merge("run-1", final=True)

    assert store.points.series("run-1", "b").value.tolist() == [10.0, 20.0]
    assert store.points.series("run-1", "a", StepRange(step_min=2)).value.tolist() == [2.0]
    with pytest.raises(DamagedFileError, match="'a'"):
        store.points.series("run-1", "a")
