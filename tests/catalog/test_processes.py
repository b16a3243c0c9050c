"""Several processes at one collection, and one that is killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from quark.catalog import lineage
from quark.catalog.adding import FileTaker
from quark.catalog.reading import (
    find_by_id,
    find_collection,
    get_collection,
    list_versions,
    read_manifest,
)
from quark.storage.embedded import EmbeddedStore
from tests.catalog.building import KEY, RUN


def start(name: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.catalog.children", name, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_versions_that_many_processes_log_at_once_are_numbered_without_gaps(tmp_path: Path) -> None:
    children = [start("log_many", tmp_path, f"p{number}", 12) for number in range(4)]
    told = [list(map(int, child.communicate(timeout=60)[0].split())) for child in children]

    store = EmbeddedStore(tmp_path)
    versions = list_versions(store, KEY)
    assert [child.returncode for child in children] == [0] * 4
    assert (
        sorted(number for mine in told for number in mine)
        == list(range(48))
        == [version.index for version in versions]
    )
    assert all(mine == sorted(mine) for mine in told)
    expected = {f"p{number}-last": mine[-1] for number, mine in enumerate(told)}
    assert get_collection(store, KEY).aliases == {**expected, "latest": 47}
    assert len({version.digest for version in versions}) == 48
    for version in versions:
        assert read_manifest(store, version).digest == version.digest
        assert find_by_id(store, version.id) == version
    assert len(lineage.versions_of(store, RUN, lineage.OUTPUT)) == 48
    store.close()


def test_a_process_that_is_killed_before_the_end_leaves_no_version_and_its_copies_are_used(
    tmp_path: Path,
) -> None:
    root, folder = tmp_path / "root", tmp_path / "folder"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.bin").write_bytes(os.urandom(100_000))
        os.utime(folder / f"{number}.bin", (1_000_000_000, 1_000_000_000))
    child = start("hang_before_commit", root, folder)
    assert child.stdout is not None
    assert child.stdout.readline() == "inside\n"
    child.send_signal(signal.SIGKILL)
    child.wait(60)
    child.stdout.close()

    store = EmbeddedStore(root)
    before = {path: path.stat().st_ino for path in (root / "blobs").glob("??/??/*")}
    with FileTaker(store.blobs, root) as taker:
        entries = taker.take_all([(path.name, path) for path in folder.iterdir()])

    assert find_collection(store, KEY) is None
    assert lineage.versions_of(store, RUN, lineage.OUTPUT) == ()
    assert {entry.sha256 for entry in entries} <= {path.name for path in before}
    after = {path: path.stat().st_ino for path in (root / "blobs").glob("??/??/*")}
    assert after == before, "nothing was written a second time"
    store.close()
