"""What the tests run in processes of their own: ``python -m tests.storage.children NAME ROOT ...``.

Each function prints a line when it has come to the point that its test waits for.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from pathlib import Path

from quark.records import EventRecord
from quark.storage.documents import update
from quark.storage.embedded import EmbeddedStore
from tests.storage.building import batch, create_run, losses, record, run_record


def say(word: object) -> None:
    print(word, flush=True)


def write(root: Path, run_id: str, writer_id: str, count: str) -> None:
    """Append so many frames of one event and one point each, from where the writer stopped."""
    store = EmbeddedStore(root)
    store.append(batch(1, 1, run_record(), run_id=run_id, writer_id=f"creator-{writer_id}"))
    first = store.position(run_id, writer_id) + 1
    for seq in range(first, first + int(count)):
        content = (losses(seq, [float(seq)]), record(seq))
        store.append(batch(seq, seq, *content, run_id=run_id, writer_id=writer_id))
        store.points.merge(run_id, final=seq % 50 == 0)
        say(seq)
    store.close()


def hang_inside_append(root: Path) -> None:
    """Stop for ever in the middle of an append, after everything but the commit."""
    from quark.storage import segment_writer

    store = EmbeddedStore(root)
    original = segment_writer.SegmentWriter.insert

    def insert_and_hang(self: segment_writer.SegmentWriter, *arguments: object) -> None:
        original(self, *arguments)  # type: ignore[arg-type]
        say("inside")
        signal.pause()

    segment_writer.SegmentWriter.insert = insert_and_hang  # type: ignore[method-assign, assignment]
    store.append(batch(2, 2, losses(2, [2.0]), record(2), record(2, "run_update", ordinal=1)))


def fork_then_parent_closes(root: Path) -> None:
    """Fork with files open; the child appends before and after the parent has closed its own."""
    store = EmbeddedStore(root)
    create_run(store)
    store.records.read(EventRecord, "run-1")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        store.append(batch(1, 1, losses(1, [1.0]), writer_id="child"))
        os.read(reading, 1)
        store.append(batch(2, 2, losses(2, [2.0]), writer_id="child"))
        os._exit(0)
    store.append(batch(1, 1, losses(1, [3.0]), writer_id="parent"))
    store.close()
    os.write(writing, b"x")
    say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def fork_while_threads_work(root: Path) -> None:
    """Fork again and again while threads append and read; every child appends too."""
    store = EmbeddedStore(root)
    create_run(store)
    done = threading.Event()

    def append() -> None:
        for seq in range(1, 10_000):
            if done.is_set():
                break
            store.append(batch(seq, seq, losses(seq, [seq]), writer_id="thread"))

    def read() -> None:
        while not done.is_set():
            store.points.series("run-1", "loss")

    threads = [threading.Thread(target=append), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for number in range(10):
        child = os.fork()
        if child == 0:
            store.append(batch(1, 1, losses(1, [1.0]), writer_id=f"child-{number}"))
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            say(f"child {number} failed")
    done.set()
    for thread in threads:
        thread.join()
    say(store.position("run-1", "thread"))
    store.close()


def fill_the_disk(root: Path) -> None:
    """Append until no file may grow any more, and say what that is called."""
    import resource

    store = EmbeddedStore(root)
    create_run(store)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    seq = 1
    try:
        for seq in range(1, 10_000):
            store.append(batch(seq, seq, record(seq, payload={"text": "x" * 5_000})))
    except Exception as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        say(type(error).__name__)
    say(store.position("run-1", "w1") == seq - 1)
    say(len(store.records.read(EventRecord, "run-1")) == seq - 1)
    os._exit(0)


def count_up(root: Path, times: str) -> None:
    """Change one document so many times."""
    store = EmbeddedStore(root)
    for _ in range(int(times)):
        update(store.documents, "counter", "a", lambda body: {"n": (body or {"n": 0})["n"] + 1})
    store.close()


def hang_inside_put(root: Path) -> None:
    """Stop for ever while a payload is being written."""

    class Endless(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            say("inside")
            signal.pause()
            return b""

    EmbeddedStore(root).blobs.put(Endless())


def read_as_nobody(root: Path) -> None:
    """Read a store that this process may not write to."""
    store = EmbeddedStore(root)
    store.points.keys("run-1")  # imports what nobody may not
    store.close()
    os.setgid(65534)
    os.setuid(65534)
    store = EmbeddedStore(root)
    say(store.points.series("run-1", "loss").value.tolist())
    say([run.id for run in store.records.list_runs()])
    try:
        store.append(batch(9, 9, record(9)))
    except Exception as error:
        say(type(error).__name__)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
