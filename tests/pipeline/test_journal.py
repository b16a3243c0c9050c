"""What ``append`` returned for can be read again, whatever happens around it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from quark.pipeline.diagnostics import LossCounter
from quark.pipeline.frames import ROW, SegmentMeta
from quark.pipeline.journal import Journal, JournalConfig
from quark.pipeline.recovery import find_writers, read_segment
from tests.pipeline.support import log, new_journal


def drain(journal: Journal) -> list[int]:
    """Read and let go of everything; the seqs in order."""
    seqs: list[int] = []
    while (part := journal.read()).frames:
        seqs += [frame.seq for frame in part.frames]
        journal.delivered(part)
    return seqs


def on_disk(folder: Path) -> list[tuple[str, int, int]]:
    """Writer, seq and step of every frame that lies in a journal folder."""
    found = []
    for files in find_writers(folder):
        for path in files.segments:
            meta, frames, _ = read_segment(path)
            if meta is not None:
                found += [(meta.writer_id, frame.seq, frame.step) for frame in frames]
    return found


def test_frames_survive_many_rotations_and_delivered_segments_are_removed(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    seqs = []
    for step in range(5_000):
        seqs.append(log(journal, step, loss=step / 7, text="x" * (step % 50)))
        if step % 1_000 == 0:
            journal.maintain()

    segments = len(list(journal.folder.glob("*.qj")))
    found = drain(journal)

    assert seqs == found == list(range(1, 5_001))
    assert segments > 4
    assert len(list(journal.folder.glob("*.qj"))) <= 2
    assert journal.close() == 0
    assert not journal.folder.exists()


def test_a_frame_larger_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    bodies = [b'"' + b"x" * size + b'"' for size in (10, 300_000, 10)]

    for body in bodies:
        journal.append(ROW, body)

    found = []
    while (part := journal.read()).frames:
        found += [frame.body for frame in part.frames]
        journal.delivered(part)
    assert found == bodies
    journal.close()


def test_threads_may_append_at_once_while_one_reads(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    returned: list[list[int]] = [[] for _ in range(4)]
    seen: list[int] = []
    done = threading.Event()

    def write(mine: list[int]) -> None:
        for step in range(3_000):
            mine.append(log(journal, step, loss=0.5))

    def read() -> None:
        while not done.is_set() or journal.pending:
            part = journal.read()
            seen.extend(frame.seq for frame in part.frames)
            journal.delivered(part)
            journal.maintain()

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(mine,)) for mine in returned]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()

    assert seen == list(range(1, 12_001))
    assert sorted(seq for mine in returned for seq in mine) == seen
    assert all(mine == sorted(mine) for mine in returned)
    journal.close()


def test_a_signal_handler_and_a_destructor_may_log_in_the_middle_of_an_append(
    tmp_path: Path,
) -> None:
    journal = new_journal(tmp_path)
    nested: list[int] = []

    class Dying:
        def __del__(self) -> None:
            nested.append(log(journal, -2, loss=2.0))

    previous = signal.signal(signal.SIGALRM, lambda *_: nested.append(log(journal, -1, loss=1.0)))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        outer = []
        for step in range(20_000):
            outer.append(log(journal, step, loss=0.5))
            if step % 100 == 0:
                cycle: list[Any] = [Dying()]
                cycle.append(cycle)
                del cycle
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    gc.collect()

    assert nested
    assert sorted(outer + nested) == drain(journal)
    journal.close()


def test_a_closed_journal_refuses_and_counts(tmp_path: Path) -> None:
    losses = LossCounter()
    meta = SegmentMeta(run_id="run_1", writer_id="w1", project="demo")
    journal = Journal(tmp_path / "journal", meta, losses=losses)
    journal.close()

    assert log(journal, 1, loss=1.0) == 0
    assert losses.snapshot() == {"history row: closed": 1}


def test_what_was_not_delivered_stays_in_files_cut_to_size(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    for step in range(10):
        log(journal, step, loss=0.5)

    left = journal.close()

    assert left == 10
    assert [step for _, _, step in on_disk(journal.folder)] == list(range(10))
    (segment,) = journal.folder.glob("*.qj")
    assert segment.stat().st_size < 4096


def test_the_disk_budget_drops_what_is_not_essential_and_says_so_once(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    losses = LossCounter()
    meta = SegmentMeta(run_id="run_1", writer_id="w1", project="demo")
    config = JournalConfig(segment_bytes=65536, max_bytes=3 * 65536)
    journal = Journal(
        tmp_path / "journal",
        meta,
        config,
        losses=losses,
        on_trouble=lambda reason, message: told.append((reason, message)),
    )

    kept = [seq for step in range(5_000) if (seq := log(journal, step, loss=0.5, t="x" * 40))]
    essential = journal.append(ROW, b"{}", 1, essential=True)
    dropped = losses.snapshot()["history row: spool_full"]

    assert essential == len(kept) + 1
    assert len(kept) + dropped == 5_000
    assert [reason for reason, _ in told] == ["spool_full"]
    assert "spool_max_bytes" in told[0][1]
    assert drain(journal) == [*kept, essential]
    assert log(journal, 1, loss=0.5) == essential + 1  # delivered, so there is room again
    journal.close()


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)


def test_without_room_frames_wait_in_memory_and_move_to_the_disk_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = new_journal(tmp_path)
    before = [log(journal, step, loss=0.5) for step in range(100)]
    with monkeypatch.context() as patch:
        full_disk(patch)
        during = [log(journal, step, loss=0.5, t="x" * 100) for step in range(1_000)]
        assert "No space left" in (journal.degraded or "")
    journal.maintain()
    after = [log(journal, step, loss=0.5) for step in range(10)]

    assert journal.degraded is None
    assert len(on_disk(journal.folder)) == 1_110
    assert drain(journal) == before + during + after == list(range(1, 1_111))
    err = capsys.readouterr().err
    assert err.count("cannot write") == 1
    assert err.count("can be written again") == 1
    assert journal.close() == 0


def test_memory_is_bounded_the_oldest_give_way_and_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = LossCounter()
    full_disk(monkeypatch)
    meta = SegmentMeta(run_id="run_1", writer_id="w1", project="demo")
    journal = Journal(tmp_path / "journal", meta, JournalConfig(ring_bytes=10_000), losses=losses)

    for step in range(1_000):
        log(journal, step, loss=0.5)

    kept = drain(journal)
    assert kept == list(range(1_000 - len(kept) + 1, 1_001))
    assert losses.snapshot() == {"history row: memory_full": 1_000 - len(kept)}
    assert 0 < len(kept) < 250
    journal.close()


def test_a_forked_child_never_writes_into_its_parents_files(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    log(journal, 1, loss=1.0)

    child = os.fork()
    if child == 0:
        for step in range(2, 5):
            log(journal, step, loss=1.0)
        os._exit(0)
    os.waitpid(child, 0)
    log(journal, 10, loss=1.0)

    found = on_disk(journal.folder)
    assert [step for writer, _, step in found if writer == "w1"] == [1, 10]
    assert [(seq, step) for writer, seq, step in found if writer != "w1"] == [
        (1, 2),
        (2, 3),
        (3, 4),
    ]
    journal.close()


def test_the_file_system_is_written_through_where_it_cannot_be_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quark.pipeline.segment_file.is_network_path", lambda path: True)
    journal = new_journal(tmp_path)

    seqs = [log(journal, step, loss=0.5) for step in range(3_000)]

    assert len(on_disk(journal.folder)) == 3_000
    assert drain(journal) == seqs
    journal.close()


def test_a_journal_does_not_keep_a_process_alive_or_noisy(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from tests.pipeline.support import new_journal, log\n"
        f"journal = new_journal(pathlib.Path({str(tmp_path)!r}))\n"
        "log(journal, 1, loss=1.0)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(on_disk(tmp_path / "run_1" / "journal")) == 1
