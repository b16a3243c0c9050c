"""Taking batches: their order, their turns, and what is refused; through a real service."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence

import httpx
import numpy as np
import pytest

from quark.errors import RecordRejectedError, SessionStoreError
from quark.persistence.wire import BATCH_TYPE
from quark.persistence.wire_batch import encode_batch
from quark.service.ingest import IngestQueue, PutOffError, RunPlace
from quark.storage.model import Batch
from tests.storage.building import batch, block, losses, record, run_record
from tests.support.service import RunningService, running_service, service_config
from tests.support.threads import lasting_threads

RUN = "run-1"

_numbers = itertools.count()


# -- turns, without a service ---------------------------------------------------------------------


def place(run_id: str) -> RunPlace:
    return RunPlace("team", "", run_id)


def queue(*, max_batches: int = 100, max_bytes: int = 10_000, threads: int = 1) -> IngestQueue:
    return IngestQueue(max_batches=max_batches, max_bytes=max_bytes, threads=threads)


def test_batches_of_a_run_are_stored_in_order_and_runs_take_turns() -> None:
    stored: list[tuple[str, int]] = []
    first_may_end = threading.Event()

    def storing(run_id: str, number: int) -> Callable[[], int]:
        def store() -> int:
            if not stored:
                assert first_may_end.wait(60)
            stored.append((run_id, number))
            return number

        return store

    async def send() -> list[int]:
        taking = queue()
        # One run has forty batches waiting when two others come with two each.
        sent = [taking.put(place("busy"), 1, storing("busy", n)) for n in range(40)]
        sent += [taking.put(place(run), 1, storing(run, n)) for run in "ab" for n in range(2)]
        answers = asyncio.gather(*sent)
        await asyncio.sleep(0)
        first_may_end.set()
        return await answers

    answers = asyncio.run(send())

    assert answers == [*range(40), 0, 1, 0, 1]
    for run_id in ("busy", "a", "b"):
        numbers = [number for run, number in stored if run == run_id]
        assert numbers == sorted(numbers)
    assert max(stored.index((run, 1)) for run in "ab") < 25, stored


def test_a_run_that_cannot_be_written_now_holds_up_nobody_else() -> None:
    may_end = threading.Event()

    async def send() -> tuple[bool, int]:
        taking = queue(threads=2)
        stuck = asyncio.create_task(taking.put(place("stuck"), 1, lambda: may_end.wait(60) and 1))
        await asyncio.sleep(0)
        others = await asyncio.gather(
            *(taking.put(place(f"r{n % 5}"), 1, lambda: 1) for n in range(50))
        )
        was_stuck = not stuck.done()
        may_end.set()
        await stuck
        return was_stuck, sum(others)

    assert asyncio.run(send()) == (True, 50)


def test_a_full_queue_puts_off_and_keeps_room_for_runs_that_have_little_there() -> None:
    may_end = threading.Event()
    refused: list[str] = []

    async def send() -> None:
        taking = queue(max_batches=10, max_bytes=100)

        async def put(run_id: str, size_bytes: int = 1) -> int:
            try:
                return await taking.put(place(run_id), size_bytes, lambda: may_end.wait(60) and 1)
            except PutOffError as error:
                refused.append(f"{run_id}: {error.reason}")
                return 0

        greedy = [asyncio.create_task(put("greedy")) for _ in range(10)]
        await asyncio.sleep(0.05)  # one is being stored, the others wait or were put off
        assert refused, "one run took all the room"
        assert taking.batches < 10
        refused.clear()
        modest = asyncio.create_task(put("modest"))
        large = asyncio.create_task(put("large", 100))
        await asyncio.sleep(0)
        assert refused == ["large: queue_full"]
        may_end.set()
        await asyncio.gather(*greedy, modest, large)
        assert modest.result() == 1
        assert (taking.batches, taking.size_bytes) == (0, 0)

    asyncio.run(send())


def test_what_storing_raises_reaches_its_sender_alone_and_closing_waits_for_the_rest() -> None:
    def fail() -> int:
        raise ZeroDivisionError("a bug")

    async def send() -> list[object]:
        taking = queue()
        sent = [
            asyncio.create_task(taking.put(place(RUN), 1, store))
            for store in (lambda: 1, fail, lambda: 2)
        ]
        await asyncio.sleep(0)
        sent[0].cancel()  # this sender has gone; its batch is stored all the same
        await taking.close()
        return [*await asyncio.gather(*sent, return_exceptions=True)]

    cancelled, failed, stored = asyncio.run(send())

    assert isinstance(cancelled, asyncio.CancelledError)
    assert isinstance(failed, ZeroDivisionError)
    assert stored == 2


# -- through a real service -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = service_config(
        tmp_path_factory.mktemp("root"),
        max_keys_per_run=10,
        max_json_depth=8,
        max_body_bytes=100_000,
        max_unpacked_bytes=200_000,
    )
    with lasting_threads(), running_service(config) as running:
        yield running


@pytest.fixture
def send(service: RunningService) -> Callable[..., httpx.Response]:
    """Send a batch into a store of this test's own."""
    storage_dir = f"ingest-{next(_numbers)}"

    def send_batch(
        what: Batch | bytes, follows: int | None = None, *, run_id: str = RUN, packed: bool = False
    ) -> httpx.Response:
        body = what if isinstance(what, bytes) else encode_batch(what, follows)
        headers = {
            "Content-Type": BATCH_TYPE,
            "Authorization": f"Bearer {service.key}",
            "Quark-Storage-Dir": storage_dir,
        }
        if packed:
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        url = f"{service.url}/api/v1/workspaces/-/runs/{run_id}/batches"
        return httpx.post(url, content=body, headers=headers, timeout=60)

    return send_batch


def start(run_id: str = RUN) -> Batch:
    return batch(1, 1, run_record(), run_id=run_id)


def test_an_answer_counts_what_was_new_and_a_repeat_is_harmless(
    send: Callable[..., httpx.Response],
) -> None:
    points = batch(2, 4, losses(2, [1.0, 2.0, 3.0]))

    answers = [send(start()), send(points, 1), send(points, 1), send(points, 1, packed=True)]

    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (200, 1),
        (200, 3),
        (200, 0),
        (200, 0),
    ]
    assert answers[0].headers["content-type"] == "application/json"


def test_a_batch_that_overtook_another_is_put_off_until_that_is_here(
    send: Callable[..., httpx.Response],
) -> None:
    send(start())
    first, second = batch(2, 2, losses(2, [1.0])), batch(3, 3, losses(3, [2.0]))

    early = send(second, 2)
    rest = [send(first, 1), send(second, 2)]

    assert early.status_code == 503
    assert float(early.headers["retry-after"]) > 0
    assert "came before frame 2" in early.json()["error"]["message"]
    assert [answer.json() for answer in rest] == [1, 1]


def many_keys(count: int, *, first_key: int = 0, seq: int = 2) -> Batch:
    keys = [f"k{number}" for number in range(first_key, first_key + count)]
    return batch(seq, seq, block(keys, [(seq, seq, None, 10**15, [0.5] * count)]))


def deep(levels: int) -> Batch:
    nested: object = 1
    for _ in range(levels):
        nested = [nested]
    return batch(2, 2, record(2, metadata={"x": nested}))


REFUSED: list[tuple[str, Batch | bytes, int, str]] = [
    ("no-batch", b"anything", 422, "no whole batch"),
    ("empty", b"", 422, "no whole batch"),
    ("torn", encode_batch(many_keys(3))[:-4], 422, "checksum"),
    ("other-run", batch(2, 2, losses(2, [1.0]), run_id="other"), 422, "was sent to run 'run-1'"),
    ("too-many-keys", many_keys(11), 422, "at most 10 a run"),
    ("long-key", batch(2, 2, losses(2, [1.0], key="k" * 513)), 422, "513 bytes long"),
    ("too-deep", deep(20), 422, "deeper than 8 levels"),
    ("unknown-kind", batch(2, 2, record(2, "no_such_kind")), 422, "no_such_kind"),
    ("too-large", bytes(100_001), 413, "100000 bytes"),
]


@pytest.mark.parametrize(
    ("what", "status", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_can_never_be_stored_is_refused_for_good_and_leaves_nothing(
    send: Callable[..., httpx.Response], what: Batch | bytes, status: int, said: str
) -> None:
    send(start())

    answer = send(what)

    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["type"] == "RecordRejectedError"
    assert said in error["message"]
    assert "retry-after" not in answer.headers
    assert send(batch(2, 2, losses(2, [1.0])), 1).json() == 1


def test_a_bomb_is_refused(send: Callable[..., httpx.Response]) -> None:
    body = bytes(1_000_000)

    answer = send(body, packed=True)

    assert answer.status_code == 413
    assert "200000 bytes unpacked" in answer.json()["error"]["message"]


def test_keys_count_over_all_batches_of_a_run(send: Callable[..., httpx.Response]) -> None:
    send(start())
    answers = [
        send(many_keys(6, seq=2), 1),
        send(many_keys(6, first_key=4, seq=3), 2),  # ten in all
        send(many_keys(1, first_key=10, seq=4), 3),
        send(many_keys(10, seq=4), 3),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 422, 200]
    assert "has 10 metric keys" in answers[2].json()["error"]["message"]


def test_a_run_that_is_not_there_is_not_found(send: Callable[..., httpx.Response]) -> None:
    answer = send(batch(2, 2, losses(2, [1.0])))

    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "RunNotFoundError")


def test_many_writers_of_many_runs_at_once_lose_nothing(service: RunningService) -> None:
    runs, writers, rows = 4, 3, 30
    failures: list[BaseException] = []

    def write(run_id: str, writer_id: str) -> None:
        store = service.store("many-writers")
        try:
            for seq in range(1, rows + 1):
                content = [losses(seq, [float(seq)], key=writer_id)]
                if seq == 1:
                    content.insert(0, run_record())  # type: ignore[arg-type]
                store.append(batch(seq, seq, *content, run_id=run_id, writer_id=writer_id))
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            store.close()

    threads = [
        threading.Thread(target=write, args=(f"r{run}", f"w{writer}"))
        for run in range(runs)
        for writer in range(writers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    store = service.store("many-writers")
    for run in range(runs):
        found = store.points.many_series(f"r{run}", [f"w{writer}" for writer in range(writers)])
        values: Sequence[object] = [series.value for series in found.values()]
        for value in values:
            np.testing.assert_array_equal(value, np.arange(1.0, rows + 1))
    store.close()


def test_the_error_of_a_full_service_is_one_that_a_shipper_tries_again() -> None:
    error = PutOffError("queue_full", "Full.")

    assert isinstance(error, SessionStoreError)
    assert not isinstance(error, RecordRejectedError)
    assert error.retry_after_seconds == 1.0
