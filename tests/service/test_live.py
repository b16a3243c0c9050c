"""Changes of a run by cursor: everything once, whoever writes meanwhile."""

from __future__ import annotations

import dataclasses
import io
import random
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from quark.errors import RunNotFoundError, SchemaValidationError
from quark.records import RECORD_KINDS
from quark.service import live_points
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.live import ChangesWanted, KeyCounts, RunChanges, has_changes, read_changes
from quark.service.live_cursor import RunCursor, pack_text
from quark.service.logs import JsonLog
from quark.service.stores import StoreKey
from quark.storage.embedded import EmbeddedStore
from quark.storage.memory import MemoryStore
from quark.storage.model import EVERYTHING, Columns, KeyStats, Series, StepRange, StoredRecord
from quark.storage.protocols import Store
from tests.storage.building import START_US, batch, block, create_run, points_of, record
from tests.support.asgi import InProcess
from tests.support.identity import first_key

Meddle = Callable[[], None]


class Meddled:
    """A store in which something else happens before every question that is asked of it."""

    def __init__(self, store: Store, meddle: Meddle) -> None:
        self._store = store
        self._meddle = meddle
        self.first_counts: dict[str, int] | None = None
        self.records = self
        self.points = self

    def get_run(self, run_id: str) -> Any:
        return self._store.records.get_run(run_id)

    def count(self, run_id: str) -> dict[str, int]:
        return self._store.records.count(run_id)

    def scan(
        self, run_id: str, kinds: Collection[str], *, after: int = 0
    ) -> Iterator[Sequence[StoredRecord]]:
        self._meddle()
        return self._store.records.scan(run_id, kinds, after=after)

    def position(self, run_id: str, writer_id: str) -> int:
        self._meddle()
        return self._store.position(run_id, writer_id)

    def keys(self, run_id: str) -> dict[str, KeyStats]:
        self._meddle()
        stats = self._store.points.keys(run_id)
        if self.first_counts is None:
            self.first_counts = {key: one.count for key, one in stats.items()}
        return stats

    def series(self, run_id: str, key: str, steps: StepRange = EVERYTHING) -> Series:
        self._meddle()
        return self._store.points.series(run_id, key, steps)

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
    ) -> dict[str, Series]:
        self._meddle()
        found = self._store.points.many_series(run_id, keys, steps, columns=columns)
        return {key: _without_strangers(series) for key, series in found.items()}


def _without_strangers(series: Series) -> Series:
    """Return the series with those writers alone that wrote into it, as some stores do."""
    used = sorted(set(series.writer.tolist()))
    numbers = np.searchsorted(np.array(used or [0]), series.writer)
    return dataclasses.replace(
        series, writers=tuple(series.writers[number] for number in used), writer=numbers
    )


class Writers:
    """Writers that append to one run in turn, in whatever order chance has."""

    def __init__(self, store: Store, seed: int, *, writers: int, keys: int) -> None:
        self._store = store
        self._random = random.Random(seed)
        self._writers = [f"w{number}" for number in range(writers)]
        self._keys = [f"key{number}" for number in range(keys)]
        self._seq = dict.fromkeys(self._writers, 0)
        self.left = 40

    def __call__(self) -> None:
        while self.left and self._random.random() < 0.6:
            self.left -= 1
            self.append()

    def append(self) -> None:
        chance = self._random
        writer_id = chance.choice(self._writers)
        first = self._seq[writer_id] + 1
        frames = range(first, first + chance.randint(1, 5))
        self._seq[writer_id] = frames[-1]
        keys = chance.sample(self._keys, chance.randint(1, len(self._keys)))
        rows = [
            (seq, seq, None, START_US + seq, [chance.random() for _ in keys])
            for seq in frames
            for _ in range(chance.choice([1, 1, 1, 2]))
        ]
        content: list[Any] = []
        if chance.random() < 0.8:
            content.append(block(keys, rows))
        if chance.random() < 0.4:
            content.append(record(frames[0], message=str(chance.random())))
        if chance.random() < 0.1:
            content.append(record(frames[-1], "summary_update", values={"x": chance.random()}))
        self._store.append(batch(first, frames[-1], *content, writer_id=writer_id))


def drained(
    store: Any, wanted: ChangesWanted, *, known: Callable[[], KeyCounts], idle: int = 1
) -> Iterator[RunChanges]:
    """Yield answers until nothing has come ``idle`` times."""
    after = None
    while idle:
        changes = read_changes(store, "run-1", after, wanted, known())
        if changes.is_empty:
            idle -= 1
        yield changes
        after = changes.cursor


def joined(answers: Sequence[RunChanges]) -> tuple[list[Any], dict[str, list[Any]]]:
    """Return all records, and all points by key."""
    records = [one for answer in answers for one in answer.records]
    points: dict[str, list[Any]] = {}
    for answer in answers:
        for series in answer.series:
            points.setdefault(series.key, []).extend(points_of(series))
    return records, points


def everything(store: Store) -> tuple[list[Any], dict[str, list[Any]]]:
    """Return the same, read in one go."""
    records = [one for part in store.records.scan("run-1", RECORD_KINDS) for one in part]
    series = store.points.many_series("run-1", list(store.points.keys("run-1")))
    return records, {key: points_of(each) for key, each in series.items()}


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**32),
    writers=st.integers(1, 4),
    keys=st.integers(1, 5),
    limit=st.integers(1, 40),
    remembers=st.booleans(),
)
def test_all_answers_together_give_everything_once_while_others_write_between_any_two_reads(
    seed: int, writers: int, keys: int, limit: int, remembers: bool
) -> None:
    store = MemoryStore()
    create_run(store)
    busy = Writers(store, seed, writers=writers, keys=keys)
    memory = KeyCounts()
    meddled = Meddled(store, busy)
    wanted = ChangesWanted(limit=limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_points, "_SLACK", 0)  # it would hide that too little is read
        answers = list(
            drained(meddled, wanted, known=lambda: memory if remembers else KeyCounts(), idle=40)
        )

    records, points = joined(answers)
    expected_records, expected_points = everything(store)
    assert busy.left == 0
    assert records == expected_records
    assert {key: sorted(each) for key, each in points.items()} == {
        key: sorted(each) for key, each in expected_points.items()
    }
    for each in points.values():  # of one writer in its order
        for writer in {point[0] for point in each}:
            frames = [point[1] for point in each if point[0] == writer]
            assert frames == sorted(frames)
    assert all(sum(map(len, answer.series)) <= limit for answer in answers)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), tail=st.integers(1, 20), limit=st.integers(1, 40))
def test_who_begins_at_the_end_gets_the_newest_and_then_everything_once(
    seed: int, tail: int, limit: int
) -> None:
    store = MemoryStore()
    create_run(store)
    busy = Writers(store, seed, writers=3, keys=3)
    for _ in range(20):
        busy.append()
    meddled = Meddled(store, busy)

    answers = list(
        drained(meddled, ChangesWanted(limit=limit, tail=tail), known=KeyCounts, idle=40)
    )

    begun = meddled.first_counts or {}
    points, expected = joined(answers)[1], everything(store)[1]
    assert busy.left == 0
    for key, all_of_it in expected.items():
        given_points = points.get(key, [])
        assert len(set(given_points)) == len(given_points)
        assert set(given_points) <= set(all_of_it)
        assert set(all_of_it[max(0, begun.get(key, 0) - tail) :]) <= set(given_points)


def test_a_cursor_of_very_many_keys_stays_small_and_needs_no_memory(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    create_run(store)
    keys = [f"layer{number}/norm" for number in range(3000)]

    def log(seq: int, chosen: Sequence[str]) -> None:
        rows = [(seq, seq, None, START_US + seq, [float(seq)] * len(chosen))]
        store.append(batch(seq, seq, block(chosen, rows)))

    log(1, keys)
    wanted = ChangesWanted(limit=100_000)
    cursor = list(drained(store, wanted, known=KeyCounts))[-1].cursor
    log(2, [keys[1234]])
    changes = read_changes(store, "run-1", cursor, wanted, KeyCounts())
    store.close()

    assert len(cursor) < 300
    assert [(series.key, series.seq.tolist()) for series in changes.series] == [(keys[1234], [2])]


def test_the_row_comes_with_what_changes_it_and_kinds_can_be_chosen() -> None:
    store = MemoryStore()
    create_run(store)
    wanted = ChangesWanted(kinds=frozenset({"event"}))

    def ask(after: str | None) -> RunChanges:
        return read_changes(store, "run-1", after, wanted, KeyCounts())

    first = ask(None)
    nothing = ask(first.cursor)
    store.append(batch(1, 2, record(1), record(2, "console_line", stream="stdout", text="x")))
    event = ask(nothing.cursor)
    store.append(batch(3, 3, record(3, "run_update", changes={"name": "new"})))
    renamed = ask(event.cursor)

    assert first.run is not None
    assert nothing.is_empty
    assert not has_changes(store, "run-1", renamed.cursor, wanted)
    assert has_changes(store, "run-1", event.cursor, wanted)
    assert [one.kind for one in event.records] == ["event"]
    assert event.run is None
    assert renamed.run is not None
    assert renamed.run.name == "new"
    assert renamed.records == ()


def test_only_so_many_keys_are_remembered_however_many_a_run_has() -> None:
    known = KeyCounts()
    wide = {f"key-{number}": 1 for number in range(200_000)}

    for number in range(5):
        known.put(f"wide-{number}", dict(wide))
    known.put("wide-4", dict(wide))
    known.put("narrow", {"loss": 1})

    assert [known.get(f"wide-{number}") is not None for number in range(5)] == [
        *(False, False, False),
        *(True, True),
    ]
    assert known.get("narrow") == {"loss": 1}
    assert known._key_count == 400_001


def test_a_cursor_of_another_run_of_the_same_id_is_refused() -> None:
    store = MemoryStore()
    create_run(store, time_us=START_US)
    cursor = read_changes(store, "run-1", None, ChangesWanted(), KeyCounts()).cursor
    store.records.delete_run("run-1")

    with pytest.raises(RunNotFoundError):
        read_changes(store, "run-1", cursor, ChangesWanted(), KeyCounts())
    create_run(store, time_us=START_US + 1)
    with pytest.raises(SchemaValidationError, match="another run"):
        read_changes(store, "run-1", cursor, ChangesWanted(), KeyCounts())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense!",
        pack_text(["x"]),
        pack_text({"a": 1})[:-3],
        pack_text([1, "t", -1, {}, None, 0, 0, 0, None, 0, False]),
        pack_text([1, "t", 0, {"w": "x"}, None, 0, 0, 0, None, 0, False]),
        pack_text([1, "t", 0, [], None, 0, 0, 0, None, 0, False]),
        pack_text([1, "t", 0, {}, None, 0, 0, 0, [2**70], 0, False]),
        pack_text([2, "t", 0, {}, None, 0, 0, 0, None, 0, False]),
        pack_text(["x" * 2_000_000]),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(SchemaValidationError, match="cursor"):
        RunCursor.decode(text)


def test_an_answer_is_put_together_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(ServiceConfig(root=tmp_path))
    app.state.service.log = JsonLog(io.StringIO())
    create_run(app.state.service.stores.get(StoreKey("local")))
    threads: list[threading.Thread] = []
    to_plain = RunChanges.to_plain

    def noted(changes: RunChanges) -> dict[str, Any]:
        threads.append(threading.current_thread())
        return to_plain(changes)

    monkeypatch.setattr(RunChanges, "to_plain", noted)
    with InProcess(app, first_key(app)) as http:
        answer = http.request("GET", "/api/v1/workspaces/-/runs/run-1/changes")
    app.state.service.close()

    assert answer.json()["run"]["id"] == "run-1"
    assert threads
    assert threading.main_thread() not in threads
