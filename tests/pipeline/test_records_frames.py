"""Frames of many records survive what frames of one record survive, and keep their order."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from quark import jsonio
from quark.ids import record_id
from quark.pipeline.decode import decode
from quark.pipeline.delivery import Delivery
from quark.pipeline.frames import RECORD, RECORDS, Frame, SegmentMeta, frame_name, record_count
from quark.pipeline.recovery import deliver_leftovers
from quark.records import LayerSummaryRecord
from quark.storage.batch import NO_STEP
from quark.storage.memory import MemoryStore
from tests.pipeline.support import new_journal, start_run

WIDTH = 7

CRASHER = """
import os, pathlib, signal, sys
from tests.pipeline.support import new_journal, start_run
from tests.pipeline.test_records_frames import journal_summaries
journal = new_journal(pathlib.Path(sys.argv[1]))
start_run(journal)
for step in range(400):
    assert journal_summaries(journal, step)
os.kill(os.getpid(), signal.SIGKILL)
"""


def body(step: int, place: int) -> bytes:
    return jsonio.dumps(
        {
            "step": step,
            "epoch": step // 10,
            "module_name": f"layer {place}",
            "module_type": "Linear",
            "summary_type": "activation",
            "hook_direction": "forward",
            "element_count": place,
            "mean": float("nan") if place == 3 else step / 7,
        }
    )


def frame_body(step: int) -> bytes:
    bodies = [body(step, place) for place in range(WIDTH)]
    return LayerSummaryRecord.KIND.encode() + b"\0" + b"\n".join(bodies)


def journal_summaries(journal: object, step: int) -> int:
    append = journal.append  # type: ignore[attr-defined]
    seq: int = append(RECORDS, frame_body(step), step)
    return seq


def test_a_killed_process_leaves_every_record_of_a_frame_and_none_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASHER, str(tmp_path)]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    journal_dir, store = tmp_path / "run_1" / "journal", MemoryStore()

    deliver_leftovers(store, journal_dir, living_too=True)
    deliver_leftovers(store, journal_dir)

    found = store.records.read(LayerSummaryRecord, "run_1")
    assert [(one.step, one.module_name) for one in found] == [
        (step, f"layer {place}") for step in range(400) for place in range(WIDTH)
    ]
    assert [one.id for one in found] == [
        record_id("w1", step + 2, place) for step in range(400) for place in range(WIDTH)
    ]
    assert {one.epoch for one in found if one.step == 123} == {12}
    assert [one.mean for one in found if one.step == 0][4] == 0.0


def test_many_records_keep_their_places_among_single_ones() -> None:
    single = LayerSummaryRecord.KIND.encode() + b"\0" + body(5, 0)
    frames = [
        Frame(1, 100, 5, RECORD, single),
        Frame(2, 200, 6, RECORDS, frame_body(6)),
        Frame(3, 300, NO_STEP, RECORD, b"event\0" + jsonio.dumps({"event_type": "e"})),
        Frame(4, 400, 8, RECORDS, single),
    ]

    records = decode("run_1", "w1", frames).records

    assert [(one.seq, one.ordinal) for one in records] == [
        (1, 0),
        *((2, place) for place in range(WIDTH)),
        (3, 0),
        (4, 0),
    ]
    assert [one.epoch for one in records] == [0, *[0] * WIDTH, None, 0]
    assert [one.step for one in records] == [5, *[6] * WIDTH, None, 8]


def test_a_frame_that_a_store_refuses_costs_its_own_records_alone(tmp_path: Path) -> None:
    store, meta = MemoryStore(), SegmentMeta(run_id="run_1", writer_id="w1", project="demo")
    journal = new_journal(tmp_path)
    start_run(journal)
    created = journal.read().frames[0]
    broken = frame_body(2).replace(b'"step":2', b'"step":"two', 1)
    delivery = Delivery(store, tmp_path / "run_1")

    delivery.deliver(
        meta,
        [
            created,
            Frame(2, 1, 1, RECORDS, frame_body(1)),
            Frame(3, 1, 2, RECORDS, broken),
            Frame(4, 1, 3, RECORDS, frame_body(3)),
        ],
    )
    journal.close()

    found = store.records.read(LayerSummaryRecord, "run_1")
    assert [one.step for one in found] == [1] * WIDTH + [3] * WIDTH
    assert delivery.refused == 1
    assert delivery.losses.snapshot() == {"record: rejected": WIDTH}
    assert (frame_name(RECORDS, broken), record_count(RECORDS, broken)) == ("layer_summary", WIDTH)
    assert len(list((tmp_path / "run_1" / "quarantine").glob("*.qj"))) == 1
