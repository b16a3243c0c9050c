"""What every store promises about ``append``, positions and closing."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from quark.errors import RecordRejectedError, RunNotFoundError, SessionStoreError
from quark.records import EventRecord
from quark.storage.model import MAX_KEY_BYTES, EncodedRecord, PointBlock
from quark.storage.protocols import Store
from tests.storage.building import batch, block, create_run, log, losses, record, run_record


def test_an_append_returns_the_number_of_frames(store: Store) -> None:
    new = store.append(batch(1, 4, run_record(1), losses(2, [0.5, 0.4, 0.3])))

    assert new == 4
    assert store.position("run-1", "w1") == 4


def test_a_batch_delivered_again_is_applied_once(store: Store) -> None:
    create_run(store)
    delivered = batch(1, 2, record(1), losses(2, [0.5]))
    store.append(delivered)

    new = store.append(delivered)

    assert new == 0
    assert len(store.points.series("run-1", "loss")) == 1
    assert len(store.records.read(EventRecord, "run-1")) == 1


def test_of_an_overlapping_batch_only_what_is_new_is_taken(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 3, losses(1, [1.0, 2.0, 3.0]), record(3, event_type="known")))

    new = store.append(
        batch(2, 5, losses(2, [2.0, 3.0, 4.0, 5.0]), record(3, event_type="known"), record(5))
    )

    assert new == 2
    assert store.points.series("run-1", "loss").value.tolist() == [1, 2, 3, 4, 5]
    types = [event.event_type for event in store.records.read(EventRecord, "run-1")]
    assert types == ["known", "test"]


def test_a_frame_that_gave_several_rows_is_taken_or_skipped_as_a_whole(store: Store) -> None:
    create_run(store)
    log(store, block(["loss"], [(1, 0, None, 0, [1.0]), (2, 1, None, 0, [2.0])]))

    log(store, block(["loss"], [(2, 1, None, 0, [2.0]), (3, 2, None, 0, [3.0])] * 1))
    store.append(
        batch(3, 4, block(["loss"], [(3, 2, None, 0, [3.0])] * 2 + [(4, 3, None, 0, [4.0])] * 2))
    )

    assert store.points.series("run-1", "loss").value.tolist() == [1, 2, 3, 4, 4]


def test_a_gap_between_batches_does_not_count_as_frames(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 2, losses(1, [1.0, 2.0])))

    new = store.append(batch(10, 11, losses(10, [3.0, 4.0])))

    assert new == 2
    assert store.position("run-1", "w1") == 11


def test_frames_without_content_move_the_position(store: Store) -> None:
    create_run(store)

    new = store.append(batch(1, 7))

    assert new == 7
    assert store.position("run-1", "w1") == 7


def test_writers_have_positions_of_their_own(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 5, losses(1, [1, 2, 3, 4, 5]), writer_id="a"))

    new = store.append(batch(1, 2, losses(1, [6, 7]), writer_id="b"))

    assert new == 2
    assert (store.position("run-1", "a"), store.position("run-1", "b")) == (5, 2)
    series = store.points.series("run-1", "loss")
    assert [series.writers[number] for number in series.writer] == ["a"] * 5 + ["b"] * 2


@pytest.mark.parametrize("run_id", ["run-1", "no-such-run", "../etc", ""])
def test_the_position_of_whoever_never_wrote_is_0(store: Store, run_id: str) -> None:
    create_run(store)

    assert store.position(run_id, "nobody") == 0


def test_a_run_is_created_with_points_in_the_same_batch(store: Store) -> None:
    store.append(batch(1, 3, losses(1, [1.0]), run_record(2, name="mine"), record(3)))

    assert store.records.get_run("run-1").name == "mine"
    assert len(store.points.series("run-1", "loss")) == 1


def test_a_batch_for_a_run_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(RunNotFoundError, match="no-such-run"):
        store.append(batch(1, 1, record(1), run_id="no-such-run"))

    assert store.records.list_runs() == ()
    assert store.position("no-such-run", "w1") == 0


def test_a_second_run_record_leaves_the_run_as_it_is(store: Store) -> None:
    create_run(store, name="first")

    store.append(batch(1, 1, run_record(name="second")))

    assert store.records.get_run("run-1").name == "first"


REFUSED: dict[str, Callable[[], PointBlock | EncodedRecord]] = {
    "unknown kind": lambda: record(2, "no_such_kind"),
    "body is no JSON": lambda: record(2)._replace(body=b"{"),
    "body is no object": lambda: record(2)._replace(body=b"[1]"),
    "step beyond 64 bits": lambda: record(2, step=2**63),
    "record outside of the batch": lambda: record(9),
    "row outside of the batch": lambda: losses(3, [1.0]),
    "empty key": lambda: losses(2, [1.0], key=""),
    "long key": lambda: losses(2, [1.0], key="é" * (MAX_KEY_BYTES // 2) + "x"),
    "key that is no UTF-8": lambda: losses(2, [1.0], key="\ud800"),
    "key twice": lambda: block(["a", "a"], [(2, 0, None, 0, [1.0, 2.0])]),
    "change that does not fit": lambda: record(2, "run_update", changes=[1]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_batch_with_one_bad_part_writes_nothing(store: Store, name: str) -> None:
    create_run(store)

    with pytest.raises(RecordRejectedError):
        store.append(batch(1, 2, losses(1, [1.0]), record(1), REFUSED[name]()))

    assert store.position("run-1", "w1") == 0
    assert store.points.keys("run-1") == {}
    assert store.records.read(EventRecord, "run-1") == ()


def test_after_a_refusal_the_good_part_can_be_delivered(store: Store) -> None:
    create_run(store)
    with pytest.raises(RecordRejectedError):
        store.append(batch(1, 2, losses(1, [1.0], key="new"), record(2, "run_update", changes=[1])))

    log(store, losses(1, [2.0], key="other"), losses(1, [1.0], key="new"))

    assert store.points.series("run-1", "new").value.tolist() == [1.0]
    assert store.points.series("run-1", "other").value.tolist() == [2.0]


@pytest.mark.parametrize("run_id", ["", ".", "..", ".hidden", "a/b", "a\\b", "a\x00b", "x" * 201])
def test_a_run_id_that_cannot_name_a_folder_is_refused(store: Store, run_id: str) -> None:
    with pytest.raises(RecordRejectedError, match="Run id"):
        store.append(batch(1, 1, run_record(), run_id=run_id))
    with pytest.raises(RunNotFoundError):
        store.records.get_run(run_id)


@pytest.mark.parametrize("run_id", ["sweep 1: lr=0.1", "läuf-ß", "a%20b?c#d", "x" * 200])
def test_any_other_run_id_is_taken(store: Store, run_id: str) -> None:
    create_run(store, run_id)

    assert store.records.get_run(run_id).id == run_id


def test_a_key_may_be_as_long_as_allowed_and_hold_anything(store: Store) -> None:
    create_run(store)
    keys = ["x" * MAX_KEY_BYTES, "é" * (MAX_KEY_BYTES // 2), " ", "a'b\"c\n", "loss\x00", "日本"]

    log(store, block(keys, [(1, 0, None, 0, range(len(keys)))]))

    assert list(store.points.keys("run-1")) == keys
    assert store.points.series("run-1", "loss\x00").value.tolist() == [4.0]


def test_a_block_without_rows_or_keys_holds_nothing(store: Store) -> None:
    create_run(store)

    store.append(batch(1, 1, block(["loss"], []), block([], [(1, 0, None, 0, [])])))

    assert store.points.keys("run-1") == {}
    assert store.position("run-1", "w1") == 1


CALLS: dict[str, Callable[[Store], object]] = {
    "append": lambda store: store.append(batch(1, 1, run_record())),
    "position": lambda store: store.position("run-1", "w1"),
    "run_dir": lambda store: store.run_dir("run-1"),
    "get_run": lambda store: store.records.get_run("run-1"),
    "list_runs": lambda store: store.records.list_runs(),
    "healths": lambda store: store.records.healths(),
    "list_projects": lambda store: store.records.list_projects(),
    "delete_run": lambda store: store.records.delete_run("run-1"),
    "read": lambda store: store.records.read(EventRecord, "run-1"),
    "count": lambda store: store.records.count("run-1"),
    "series": lambda store: store.points.series("run-1", "loss"),
    "many_series": lambda store: store.points.many_series("run-1", ["loss"]),
    "buckets": lambda store: store.points.buckets("run-1", "loss", 10),
    "keys": lambda store: store.points.keys("run-1"),
    "merge": lambda store: store.points.merge("run-1", final=True),
    "put": lambda store: store.blobs.put(b"x"),
    "open": lambda store: store.blobs.open("0" * 64),
    "exists": lambda store: store.blobs.exists("0" * 64),
    "delete": lambda store: store.blobs.delete("0" * 64),
    "digests": lambda store: list(store.blobs.digests()),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_closed_store_says_so(store: Store, name: str) -> None:
    create_run(store)
    store.close()
    store.close()

    with pytest.raises(SessionStoreError, match="closed"):
        CALLS[name](store)


def test_threads_append_and_read_at_once(store: Store) -> None:
    create_run(store)
    count, errors = 30, []

    def write(writer_id: str) -> None:
        try:
            for seq in range(1, count + 1):
                content = (losses(seq, [seq]), record(seq))
                store.append(batch(seq, seq, *content, writer_id=writer_id))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        events = store.records.read(EventRecord, "run-1")
        points = store.points.series("run-1", "loss")
        assert len(points) >= len(events)
    for thread in threads:
        thread.join()

    assert errors == []
    series = store.points.series("run-1", "loss")
    for number in range(3):
        mine = series.writer == series.writers.index(f"w{number}")
        assert series.value[mine].tolist() == list(np.arange(1.0, count + 1))


def test_a_run_that_is_deleted_and_written_again_is_whole_under_readers(store: Store) -> None:
    wrong: list[object] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(0.001):
            try:
                found = store.points.keys("run-1")
            except RunNotFoundError:
                continue
            except Exception as error:
                wrong.append(error)
                return
            if list(found) not in ([], ["loss"]):
                wrong.append(found)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(12):
            create_run(store)
            log(store, losses(1, [float(number), 2.0]))
            assert store.points.series("run-1", "loss").value.tolist() == [number, 2.0]
            store.records.delete_run("run-1")
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert not wrong
