"""Several processes, forks and sudden deaths on one embedded store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quark.records import EventRecord
from quark.storage.embedded import EmbeddedStore
from tests.storage.building import batch, create_run, losses, record


def start(name: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.storage.children", name, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(child: subprocess.Popen[str]) -> list[str]:
    output, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    return output.splitlines()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / ".quark"


def test_processes_write_into_one_root_and_one_run_while_others_read(root: Path) -> None:
    count = 60
    writers = [start("write", root, "shared", f"w{number}", count) for number in range(2)]
    writers += [start("write", root, f"own-{number}", "w", count) for number in range(2)]
    store = EmbeddedStore(root)
    assert writers[0].stdout is not None
    writers[0].stdout.readline()

    seen = 0
    while any(writer.poll() is None for writer in writers):
        value_count = len(store.points.series("shared", "loss"))
        assert value_count >= seen
        seen = value_count

    for writer in writers:
        finish(writer)
    series = store.points.series("shared", "loss")
    for number in range(2):
        mine = series.writer == series.writers.index(f"w{number}")
        assert series.value[mine].tolist() == list(range(1, count + 1))
        assert len(store.records.read(EventRecord, f"own-{number}")) == count
    assert {run.id for run in store.records.list_runs()} == {"shared", "own-0", "own-1"}
    store.close()


def test_a_process_killed_inside_an_append_leaves_nothing_of_it(root: Path) -> None:
    store = EmbeddedStore(root)
    create_run(store)
    store.append(batch(1, 1, losses(1, [1.0]), record(1)))
    child = start("hang_inside_append", root)
    assert child.stdout is not None
    assert child.stdout.readline() == "inside\n"
    assert store.position("run-1", "w1") == 1  # readers do not wait for it

    child.send_signal(signal.SIGKILL)
    child.communicate()

    assert store.position("run-1", "w1") == 1
    assert store.records.count("run-1") == {"run": 1, "event": 1}
    new = store.append(batch(1, 2, losses(1, [1.0, 2.0]), record(1), record(2)))
    assert new == 1
    assert store.points.series("run-1", "loss").value.tolist() == [1.0, 2.0]
    assert store.records.count("run-1") == {"run": 1, "event": 2}
    store.close()


@pytest.mark.parametrize("after", [1, 23, 77])
def test_a_process_killed_at_any_moment_leaves_whole_frames(root: Path, after: int) -> None:
    child = start("write", root, "run-1", "w1", 100_000)
    assert child.stdout is not None
    for _ in range(after):
        said = int(child.stdout.readline())

    child.send_signal(signal.SIGKILL)
    child.communicate()

    store = EmbeddedStore(root)
    position = store.position("run-1", "w1")
    assert position >= said
    assert store.points.series("run-1", "loss").value.tolist() == list(range(1, position + 1))
    ids = [event.id for event in store.records.read(EventRecord, "run-1")]
    assert ids == [f"w1-{seq}" for seq in range(1, position + 1)]
    store.close()
    finish(start("write", root, "run-1", "w1", 5))
    assert EmbeddedStore(root).position("run-1", "w1") == position + 5


def test_after_a_fork_the_child_loses_nothing_when_the_parent_closes(root: Path) -> None:
    assert finish(start("fork_then_parent_closes", root)) == ["0"]

    store = EmbeddedStore(root)
    assert sorted(store.points.series("run-1", "loss").value.tolist()) == [1.0, 2.0, 3.0]
    store.close()


def test_forks_while_threads_work_neither_hang_nor_lose(root: Path) -> None:
    (said,) = finish(start("fork_while_threads_work", root))

    store = EmbeddedStore(root)
    series = store.points.series("run-1", "loss")
    by_writer = {
        writer: series.value[series.writer == number].tolist()
        for number, writer in enumerate(series.writers)
    }
    assert by_writer["thread"] == list(range(1, int(said) + 1))
    assert all(by_writer[f"child-{number}"] == [1.0] for number in range(10))
    store.close()


def test_a_full_disk_is_a_store_error_and_half_applies_nothing(root: Path) -> None:
    said = finish(start("fill_the_disk", root))

    assert said == ["SessionStoreError", "True", "True"]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("is_open", [True, False], ids=["being-written", "at-rest"])
def test_a_store_of_somebody_else_can_be_read(tmp_path: Path, is_open: bool) -> None:
    root = tmp_path / ".quark"
    store = EmbeddedStore(root)
    create_run(store)
    store.append(batch(1, 2, losses(1, [1.0, 2.0])))
    if not is_open:
        store.close()
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o7000:  # the system's folder for temporary files
            break
        folder.chmod(0o755)

    said = finish(start("read_as_nobody", root))

    assert said == ["[1.0, 2.0]", "['run-1']", "SessionStoreError"]
    store.close()
