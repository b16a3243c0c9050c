"""What a dead process left is delivered by the next one that looks, once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quark.pipeline.recovery import deliver_leftovers, find_writers
from quark.records import EventRecord
from quark.storage.memory import MemoryStore
from tests.pipeline.support import log, new_journal, points_of, start_run

CRASHER = """
import os, pathlib, signal, sys
from tests.pipeline.support import log, new_journal, start_run
journal = new_journal(pathlib.Path(sys.argv[1]), writer_id=sys.argv[2])
start_run(journal)
for step in range(3000):
    log(journal, step, loss=float(step))
os.kill(os.getpid(), signal.SIGKILL)
"""


def crash(folder: Path, writer_id: str = "w1") -> Path:
    """Leave the journal of a killed process; its folder."""
    command = [sys.executable, "-c", CRASHER, str(folder), writer_id]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    return folder / "run_1" / "journal"


def test_a_killed_process_lost_nothing_and_its_run_says_so(tmp_path: Path) -> None:
    journal_dir, store = crash(tmp_path), MemoryStore()

    found = deliver_leftovers(store, journal_dir)

    assert (found.writers, found.frames, found.damaged, found.waiting) == (1, 3_001, 0, ())
    assert points_of(store) == [(step, float(step)) for step in range(3_000)]
    run = store.records.get_run("run_1")
    assert (run.status, run.end_reason) == ("failed", "process_lost")
    assert run.ended_at is not None
    (event,) = store.records.read(EventRecord, "run_1")
    assert (event.event_type, event.severity) == ("run_lost", "error")
    assert not journal_dir.exists()


def test_recovery_may_die_and_begin_again_without_doubling(tmp_path: Path) -> None:
    journal_dir, store = crash(tmp_path), MemoryStore()
    deliver_leftovers(store, journal_dir, living_too=False)
    again = crash(tmp_path / "again")  # the same writer's frames, found a second time

    found = deliver_leftovers(store, again)

    assert found.frames == 0
    assert len(points_of(store)) == 3_000
    assert len(store.records.read(EventRecord, "run_1")) == 1


def test_the_segments_of_a_living_writer_are_read_but_left_alone(tmp_path: Path) -> None:
    journal, store = new_journal(tmp_path), MemoryStore()
    start_run(journal)
    log(journal, 1, loss=1.0)

    assert deliver_leftovers(store, journal.folder).frames == 0
    assert deliver_leftovers(store, journal.folder, living_too=True).frames == 2
    log(journal, 2, loss=2.0)
    assert deliver_leftovers(store, journal.folder, living_too=True).frames == 1

    assert points_of(store) == [(1, 1.0), (2, 2.0)]
    assert store.records.get_run("run_1").status == "running"
    assert len(find_writers(journal.folder)) == 1
    journal.close()


def test_a_run_that_another_living_writer_owns_stays_running(tmp_path: Path) -> None:
    store = MemoryStore()
    crash(tmp_path)
    resumed = new_journal(tmp_path, writer_id="w2")
    log(resumed, 1, loss=1.0)

    deliver_leftovers(store, resumed.folder)

    assert store.records.get_run("run_1").status == "running"
    resumed.close()


def test_damage_costs_only_the_frames_it_hit_and_is_counted(tmp_path: Path) -> None:
    journal_dir, store = crash(tmp_path), MemoryStore()
    first = find_writers(journal_dir)[0].segments[0]
    data = bytearray(first.read_bytes())
    data[20_000] ^= 0xFF
    first.write_bytes(data)

    found = deliver_leftovers(store, journal_dir)

    assert found.damaged == 1
    assert len(points_of(store)) == 2_999


@pytest.mark.parametrize("content", [b"", b"garbage" * 100], ids=["empty", "garbage"])
def test_a_segment_that_cannot_be_read_is_kept_aside(tmp_path: Path, content: bytes) -> None:
    journal_dir, store = crash(tmp_path), MemoryStore()
    (journal_dir / "wbroken-0.qj").write_bytes(content)

    deliver_leftovers(store, journal_dir)

    assert len(points_of(store)) == 3_000
    kept = list((tmp_path / "run_1" / "quarantine").glob("wbroken-0.qj"))
    assert bool(kept) == bool(content)  # an empty segment was made ready but never used


def test_fragments_of_a_run_that_the_store_does_not_know_wait_where_they_are(
    tmp_path: Path,
) -> None:
    store = MemoryStore()
    journal = new_journal(tmp_path, writer_id="w9")
    log(journal, 1, loss=1.0)  # a rank that did not start the run
    journal.close()

    found = deliver_leftovers(store, journal.folder)

    assert "run_1" in found.waiting[0]
    assert len(find_writers(journal.folder)) == 1
