"""Forking a run and winding it back, on every store, compared with what was logged."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quark import jsonio
from quark.errors import InvalidRunStateError, RunNotFoundError
from quark.persistence.open import open_store
from quark.records import ConsoleLineRecord, EventRecord, HistoryValueRecord, RunRecord
from quark.session import RunRequest, TrainingSession, branching
from quark.session.branching import begun_us, fork_run, is_archived, rewind_run
from quark.session.past import RunPast, copy_run
from quark.session.request import RunMoment
from quark.storage.batch import Batch
from quark.storage.layout import opening_lock_path
from quark.storage.memory import MemoryStore
from quark.storage.model import EncodedRecord
from quark.storage.protocols import Store
from tests.storage.building import START_US, batch, block, points_of, record, run_record
from tests.storage.stores import STORES
from tests.sweeps.trials import settings_in


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = STORES[request.param](tmp_path)
    yield store
    store.close()


def us(seq: int) -> int:
    return START_US + seq * 1_000_000


def placed(seq: int, kind: str, step: int, time_us: int, **body: Any) -> EncodedRecord:
    """Return a record that says its step itself, too."""
    encoded = record(seq, kind, step=step, time_us=time_us, **body)
    return encoded._replace(body=jsonio.dumps({**body, "step": step}))


def fill(store: Store, **fields: Any) -> None:
    """Leave a run of two writers whose records come between one another's; step n is logged by the
    frames 10 + n, a second after each other."""
    fields = {"config": {"lr": 1, "gone": 1}, "status": "completed", "name": "first", **fields}
    run = run_record(1, created_at="2001-09-09T01:46:40.000000Z", **fields)
    rows = [(10 + n, n, None, us(10 + n), [n / 2, float(n)]) for n in range(4)]
    store.append(
        batch(
            1,
            13,
            run,
            record(2, "config_update", time_us=us(2), values={"lr": 2}, removed=["gone"]),
            placed(3, "summary_update", 0, us(3), values={"best": "w1"}),
            block(["loss", "acc"], rows),
            block(["machine"], [(9, None, None, us(9), [1.0]), (13, None, None, us(13), [3.0])]),
            placed(11, "history_value", 1, us(11), key="text", value="a"),
            placed(13, "history_value", 3, us(13), key="text", value="b"),
        )
    )
    later = [(1, 2, None, us(12), [20.0]), (2, 3, None, us(13), [30.0])]
    store.append(
        batch(
            1,
            6,
            block(["other"], later),
            placed(4, "summary_update", 2, us(12), values={"best": "w2"}),
            record(5, "console_line", time_us=us(12), stream="stdout", text="early"),
            record(6, "console_line", time_us=us(14), stream="stdout", text="late"),
            writer_id="w2",
        )
    )
    store.append(
        batch(
            14,
            16,
            placed(14, "summary_update", 2, us(12), values={"best": "w1 again"}),
            placed(15, "summary_update", 4, us(15), values={"best": "end"}),
            record(16, "config_update", time_us=us(16), values={"lr": 3}),
        )
    )


def contents(store: Store, run_id: str) -> dict[str, Any]:
    """Return all points by key, the texts, and the folded row of a run."""
    points = {key: points_of(store.points.series(run_id, key)) for key in store.points.keys(run_id)}
    texts = [(v.id, v.step, v.value) for v in store.records.read(HistoryValueRecord, run_id)]
    run = store.records.get_run(run_id)
    row = (dict(run.config), dict(run.summary), run.name, run.status, run.created_at)
    return {"points": points, "texts": texts, "row": row}


def cut(everything: dict[str, Any], last_step: int, until_us: int) -> dict[str, Any]:
    """Return the points and texts up to a step, one by one."""
    points = {
        key: [p for p in found if (p[2] <= last_step if p[2] >= 0 else p[4] < until_us)]
        for key, found in everything["points"].items()
    }
    return {
        "points": {key: found for key, found in points.items() if found},
        "texts": [text for text in everything["texts"] if text[1] <= last_step],
    }


def target(**fields: Any) -> RunRecord:
    return RunRecord(
        id="fork",
        run_id="fork",
        timestamp="2001-09-10T00:00:00.000000Z",
        project_id="proj_1",
        project_name="vision",
        created_at="2001-09-10T00:00:00.000000Z",
        **fields,
    )


@pytest.mark.parametrize("last_step", [0, 1, 2])
def test_a_fork_begins_with_rows_config_and_summary_of_its_step(
    store: Store, last_step: int
) -> None:
    fill(store)
    everything = contents(store, "run-1")

    fork_run(store, "run-1", target(config={"own": 1}), last_step=last_step)

    found = contents(store, "fork")
    expected = cut(everything, last_step, until_us=0)  # samples of the machine stay behind
    assert {"points": found["points"], "texts": found["texts"]} == expected
    run = store.records.get_run("fork")
    assert run.config == {"lr": 2, "own": 1}
    assert run.summary == {"best": "w1" if last_step < 2 else "w1 again"}
    assert (run.parent_run_id, run.lineage_root_run_id) == ("run-1", "run-1")
    assert store.records.read(ConsoleLineRecord, "fork") == ()
    assert begun_us(store, "fork") == {"w1": START_US, "w2": START_US}
    assert contents(store, "run-1") == everything

    again = replace(target(), id="fork-2", run_id="fork-2")
    fork_run(store, "fork", again, last_step=last_step)
    assert contents(store, "fork-2")["points"] == expected["points"]
    assert begun_us(store, "fork-2")["w1"] == START_US
    assert store.records.get_run("fork-2").lineage_root_run_id == "run-1"


@pytest.mark.parametrize("last_step", [0, 2, 3, 99])
def test_a_rewound_run_is_cut_and_all_of_it_is_kept(store: Store, last_step: int) -> None:
    fill(store, parent_run_id="older", lineage_root_run_id="oldest")
    before, row = contents(store, "run-1"), store.records.get_run("run-1")

    kept = rewind_run(store, "run-1", last_step=last_step)

    assert kept == "run-1~1"
    assert contents(store, kept) == before
    assert is_archived(store.records.get_run(kept))
    until_us = us(11 + last_step) if last_step < 3 else 2**62
    found = contents(store, "run-1")
    expected = cut(before, last_step, until_us)
    assert {"points": found["points"], "texts": found["texts"]} == expected
    after = store.records.get_run("run-1")
    assert not is_archived(after)
    assert (after.parent_run_id, after.lineage_root_run_id) == ("older", "oldest")
    assert (after.name, after.created_at) == (row.name, row.created_at)
    assert after.config == {"lr": 2 if last_step < 3 else 3}
    assert after.summary["best"] == {0: "w1", 2: "w1 again", 3: "w1 again"}.get(last_step, "end")
    lines = [line.text for line in store.records.read(ConsoleLineRecord, "run-1")]
    assert lines == {0: [], 2: ["early"]}.get(last_step, ["early", "late"])

    assert rewind_run(store, "run-1", last_step=0) == "run-1~2"
    assert contents(store, "run-1~2") == found
    assert contents(store, "run-1")["points"] == cut(before, 0, us(11))["points"]


def test_a_rewind_that_was_cut_short_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    before = contents(store, "run-1")
    whole, calls = branching._mark_whole, list[str]()

    def dying(store: Store, run_id: str, writer_id: str, **more: Any) -> None:
        calls.append(run_id)
        if len(calls) == dies_at:
            raise KeyboardInterrupt
        whole(store, run_id, writer_id, **more)

    monkeypatch.setattr(branching, "_mark_whole", dying)
    for dies_at in (1, 2):
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            rewind_run(store, "run-1", last_step=1)
        if dies_at == 1:  # while it was copied: nothing has happened to the run
            assert contents(store, "run-1") == before
    dies_at = 0

    kept = rewind_run(store, "run-1", last_step=2)

    assert kept == "run-1~2"
    assert contents(store, kept) == before
    assert contents(store, "run-1")["points"] == cut(before, 2, us(13))["points"]


def opened(folder: Path, run_id: str, **more: Any) -> TrainingSession:
    settings = settings_in(folder)
    more = {"resume": "allow", "reopen_completed": True, **more}
    return TrainingSession.open(RunRequest(project="p", settings=settings, run_id=run_id, **more))


def logged(folder: Path, run_id: str) -> list[tuple[int, float]]:
    with closing(open_store(settings_in(folder))) as store:
        series = store.points.series(run_id, "loss")
        return sorted(zip(series.step.tolist(), series.value.tolist(), strict=True))


def log(session: TrainingSession, *steps: int) -> None:
    for step in steps:
        session.log_row({"loss": float(step)}, step)
    session.end_run("completed")


def test_who_opens_a_run_that_a_dead_process_left_half_made_gets_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(opened(tmp_path, "r"), 0, 1, 2, 3)
    with monkeypatch.context() as dying:

        def write_half(past: RunPast, run_id: str) -> Iterator[Batch]:
            if "~" in run_id:
                yield from batches(past, run_id)
            else:
                raise KeyboardInterrupt

        batches = RunPast.batches
        dying.setattr(RunPast, "batches", write_half)
        with pytest.raises(KeyboardInterrupt):
            opened(tmp_path, "r", resume="must", rewind_to=2)
        with pytest.raises(KeyboardInterrupt):
            opened(tmp_path, "f", resume="never", fork_from=RunMoment(run_id="r~1", last_step=1))

    log(opened(tmp_path, "r"), 3, 4)
    with pytest.raises(InvalidRunStateError, match=r"'f' is not whole.*'r~1' died"):
        opened(tmp_path, "f")
    moment = RunMoment(run_id="r~1", last_step=1)
    log(opened(tmp_path, "f", resume="never", fork_from=moment), 2)

    assert logged(tmp_path, "r") == [(step, float(step)) for step in range(5)]
    assert logged(tmp_path, "f") == [(step, float(step)) for step in range(3)]
    log(opened(tmp_path, "r", resume="must", rewind_to=0), 1)
    assert logged(tmp_path, "r~2") == [(step, float(step)) for step in range(5)]
    assert logged(tmp_path, "r") == [(0, 0.0), (1, 1.0)]


def test_nobody_else_opens_a_run_while_it_is_wound_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(opened(tmp_path, "r"), 0, 1)
    locked, rewind = list[bool](), branching.rewind_run

    def look(store: Store, run_id: str, *, last_step: int) -> str:
        with opening_lock_path(tmp_path / ".quark").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                locked.append(True)
        return rewind(store, run_id, last_step=last_step)

    monkeypatch.setattr(branching, "rewind_run", look)
    opened(tmp_path, "r", resume="must", rewind_to=0).end_run("completed")

    assert locked == [True]


def test_what_cannot_be_branched_is_refused(store: Store) -> None:
    fill(store, status="running")

    with pytest.raises(InvalidRunStateError, match="still open"):
        rewind_run(store, "run-1", last_step=1)
    with pytest.raises(RunNotFoundError):
        rewind_run(store, "nothing", last_step=1)
    with pytest.raises(RunNotFoundError):
        fork_run(store, "nothing", target(), last_step=1)
    assert [run.id for run in store.records.list_runs()] == ["run-1"]


def test_files_go_along(store: Store) -> None:
    fill(store)
    folder = store.run_dir("run-1")
    if folder is None:
        pytest.skip("this store keeps no files")
    image = {"_type": "image-file", "path": "media/images/a.png"}
    unlogged = {"_type": "image-file", "path": "../run.db"}
    store.append(
        batch(
            17,
            18,
            placed(17, "history_value", 1, us(11), key="image", value=image),
            placed(18, "history_value", 1, us(11), key="odd", value=[unlogged]),
        )
    )
    for name, text in (("media/images/a.png", "image"), ("model.bin", "weights")):
        (folder / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "files" / name).write_text(text)

    fork_run(store, "run-1", target(), last_step=2)
    kept = rewind_run(store, "run-1", last_step=2)

    def files(run_id: str) -> dict[str, str]:
        place = store.run_dir(run_id)
        assert place is not None
        found = [path for path in (place / "files").rglob("*") if path.is_file()]
        return {path.relative_to(place / "files").as_posix(): path.read_text() for path in found}

    assert files("fork") == {"media/images/a.png": "image"}
    both = {"media/images/a.png": "image", "model.bin": "weights"}
    assert files("run-1") == files(kept) == both
    (folder / "files" / "model.bin").write_text("changed in place")
    assert files(kept) == both


def test_a_run_is_copied_into_another_store(store: Store) -> None:
    fill(store)
    other = MemoryStore()

    copy_run(store, "run-1", other)

    assert contents(other, "run-1") == contents(store, "run-1")
    events = other.records.read(EventRecord, "run-1")
    assert len(events) == len(store.records.read(EventRecord, "run-1"))
    other.close()
