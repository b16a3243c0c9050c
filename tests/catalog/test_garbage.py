"""Payloads that nothing refers to go; those of whatever may still need them stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quark.catalog.commit import commit
from quark.catalog.garbage import find_garbage, remove_garbage
from quark.catalog.model import Draft
from quark.catalog.reading import get_version, read_manifest
from quark.catalog.removal import collect, delete_version
from quark.catalog.staging import FOLDER, staged_since_us, staging_in
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.errors import DamagedFileError, PermissionDeniedError, SchemaValidationError
from quark.persistence.http_store import HttpStore
from quark.persistence.service_client import ServiceClient
from quark.records import EventRecord
from quark.session.request import RunRequest
from quark.session.training import TrainingSession
from quark.settings import Settings
from quark.storage.embedded import EmbeddedStore
from quark.storage.protocols import Store
from tests.catalog.building import KEY, log, manifest
from tests.storage.building import batch, block, create_run, record
from tests.support.clock import FakeClock

DAY_SECONDS = 24 * 3600


def in_two_days() -> FakeClock:
    """Return a clock for which everything that was put until now is old."""
    return FakeClock(SYSTEM_CLOCK.time_us() + 2 * DAY_SECONDS * 1_000_000)


def start(name: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.catalog.children", name, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_what_nothing_refers_to_is_told_and_then_removed(store: Store) -> None:
    kept = log(store, {"a": "logged"})
    never = manifest(store, a="never logged", b="never either", c="logged")
    doomed = log(store, {"a": "of a deleted version", "b": "logged"}, key=KEY._replace(name="x"))
    delete_version(store, doomed, with_aliases=True)
    create_run(store)
    of_run = store.blobs.put(b"a run's, somewhere in a record")[0]
    store.append(batch(1, 1, record(1, payload={"deep": [{"media": f"x/{of_run}.png"}]})))
    commit(
        store,
        Draft(key=KEY, type="x", manifest=manifest(store, a="of a part")),
        distributed_id="job",
        finished=False,
    )
    expected = never.payloads - read_manifest(store, kept).payloads
    now = FakeClock(SYSTEM_CLOCK.time_us())
    clock = in_two_days()

    assert find_garbage(store, clock=now).payloads == {}, "put within a day"
    told = find_garbage(store, grace_seconds=2.5 * DAY_SECONDS, clock=clock)
    assert told.payloads == {}, "put and deleted within two days and a half"
    before = set(store.blobs.digests())
    found = find_garbage(store, clock=clock)
    assert set(store.blobs.digests()) == before, "telling removes nothing"
    removed = remove_garbage(store, clock=clock)

    gone = before - set(store.blobs.digests())
    assert gone == set(removed.payloads) == set(found.payloads)
    deleted = {doomed.manifest_sha256, *manifest(store, a="of a deleted version").payloads}
    assert gone == expected | deleted
    assert removed.size_bytes == found.size_bytes > 20
    with store.blobs.open(next(iter(read_manifest(store, get_version(store, KEY)).payloads))) as it:
        assert it.read() == b"logged"
    assert store.blobs.exists(of_run)
    with pytest.raises(SchemaValidationError, match="grace_seconds"):
        remove_garbage(store, grace_seconds=float("nan"))


def test_what_came_since_a_living_run_began_stays_in_a_store_that_others_use(store: Store) -> None:
    """A script on another machine may log its artifact days after it began to put files into it."""
    payload = store.blobs.put(b"to be logged")[0]
    began_us, days_us = SYSTEM_CLOCK.time_us(), DAY_SECONDS * 1_000_000
    began = format_timestamp(began_us)
    create_run(store, "ended", created_at=began, updated_at=began, status="completed")
    create_run(store, "living", created_at=began, updated_at=began)
    later = FakeClock(began_us + 6 * days_us)

    assert find_garbage(store, clock=later).payloads == {payload: 12}
    assert find_garbage(store, served=True, clock=later).payloads == {}
    assert remove_garbage(store, served=True, clock=later).payloads == {}
    later.advance(2 * DAY_SECONDS)
    assert find_garbage(store, served=True, clock=later).payloads == {payload: 12}, "it has died"

    point = block(["loss"], [(1, 0, None, began_us + 5 * days_us, [0.5])])
    store.append(batch(1, 1, point, run_id="living"))
    assert find_garbage(store, served=True, clock=later).payloads == {}, "it was heard of since"
    ended = record(2, "run_update", time_us=began_us, changes={"status": "completed"})
    store.append(batch(2, 2, ended, run_id="living"))
    assert collect(store, served=True, clock=later) == (0, 1, 12)


def test_a_client_of_a_service_does_not_collect() -> None:
    store = HttpStore(ServiceClient("http://127.0.0.1:9", "qk_x"))

    for collecting in (find_garbage, remove_garbage, collect):
        with pytest.raises(PermissionDeniedError, match="quark admin gc --root"):
            collecting(store)
    store.close()


def test_payloads_of_a_deleted_run_go_and_those_that_another_run_has_too_stay(store: Store) -> None:
    alone, shared = store.blobs.put(b"alone")[0], store.blobs.put(b"shared")[0]
    create_run(store)
    create_run(store, "run-2")
    store.append(batch(1, 1, record(1, payload={"sha256": alone, "too": shared})))
    store.append(batch(1, 1, record(1, payload={"sha256": shared}), run_id="run-2"))
    clock = in_two_days()
    assert remove_garbage(store, clock=clock).payloads == {}

    store.records.delete_run("run-1")

    assert remove_garbage(store, clock=clock).payloads == {alone: 5}
    store.records.delete_run("run-2")
    assert collect(store, clock=clock) == (0, 1, 6)


def test_nothing_is_removed_if_it_is_not_known_what_a_version_needs(store: Store) -> None:
    version = log(store, {"a": "1"})
    garbage = store.blobs.put(b"garbage")[0]
    store.blobs.delete(version.manifest_sha256)
    clock = in_two_days()

    with pytest.raises(DamagedFileError, match="local/vision/digits:v0, so it is not known"):
        remove_garbage(store, clock=clock)

    assert store.blobs.exists(garbage)
    delete_version(store, version, with_aliases=True)
    assert garbage in remove_garbage(store, clock=clock).payloads


def test_what_waits_in_a_journal_or_in_a_run_that_no_list_knows_is_needed(tmp_path: Path) -> None:
    """As after a crash, offline, or when a run's folder was copied from elsewhere."""
    store = EmbeddedStore(tmp_path / ".quark")
    names = [store.blobs.put(text)[0] for text in (b"journal", b"quarantine", b"index", b"none")]
    settings = Settings(storage_dir=str(tmp_path), mode="offline")
    with TrainingSession.open(RunRequest(project="p", settings=settings)) as session:
        session.handle.emit(EventRecord, event_type="x", payload={"sha256": names[0]})
    assert list(tmp_path.glob(".quark/runs/*/journal/*.qj")), "it was not shipped"
    refused = tmp_path / ".quark/runs/other/quarantine/1.qj"
    refused.parent.mkdir(parents=True)
    refused.write_bytes(bytes((1 << 20) - 30) + b'"%s"' % names[1].encode())
    create_run(store)
    store.append(batch(1, 1, record(1, payload={"sha256": names[2]})))
    store.close()
    for path in (tmp_path / ".quark").glob("index.db*"):
        path.unlink()

    store = EmbeddedStore(tmp_path / ".quark")
    assert remove_garbage(store, clock=in_two_days()).payloads == {names[3]: 4}
    store.close()


def test_what_a_living_process_is_putting_together_stays_until_it_is_gone(tmp_path: Path) -> None:
    store, clock = EmbeddedStore(tmp_path), in_two_days()
    older = store.blobs.put(b"older")[0]
    os.utime(tmp_path / "blobs" / older[:2] / older[2:4] / older, (1_000_000_000, 1_000_000_000))
    logging, dying = start("add_and_wait", tmp_path, "mine"), start("add_and_wait", tmp_path, "his")
    assert logging.stdout is not None
    assert dying.stdout is not None
    mine, his = logging.stdout.readline().strip(), dying.stdout.readline().strip()

    assert remove_garbage(store, clock=clock).payloads == {older: 5}
    dying.send_signal(signal.SIGKILL)
    dying.communicate(timeout=60)
    assert remove_garbage(store, clock=clock).payloads.keys() <= {his}, "by when each began"
    told, _ = logging.communicate("log it\n", timeout=60)

    assert told == "digits:v0\n"
    assert logging.returncode == 0
    assert staged_since_us(tmp_path) is None
    assert remove_garbage(store, clock=clock).payloads.keys() <= {his}
    assert set(store.blobs.digests()) == {mine, get_version(store, KEY).manifest_sha256}
    store.close()


def test_collecting_beside_processes_that_log_the_same_files_loses_nothing(tmp_path: Path) -> None:
    """Without any grace: only what is locked or being put together protects what they put."""
    children = [start("log_and_delete", tmp_path, name, 40) for name in ("one", "two")]
    store = EmbeddedStore(tmp_path)
    removed = 0
    while any(child.poll() is None for child in children):
        removed += len(remove_garbage(store, grace_seconds=0).payloads)
    told = [child.communicate(timeout=60)[0] for child in children]

    assert [child.returncode for child in children] == [0, 0]
    assert told == ["40\n", "40\n"]
    assert removed > 0
    store.close()


def test_a_staging_lasts_as_long_as_somebody_holds_it(tmp_path: Path) -> None:
    first, same = staging_in(tmp_path), staging_in(tmp_path)
    assert first is same
    begun_us = staged_since_us(tmp_path)
    assert begun_us is not None
    assert abs(begun_us - SYSTEM_CLOCK.time_us()) < 60_000_000
    del first
    assert staged_since_us(tmp_path) == begun_us

    del same

    assert staged_since_us(tmp_path) is None
    assert list((tmp_path / FOLDER).iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    assert staging_in(tmp_path / "file") is None, "not where nothing can be written"
