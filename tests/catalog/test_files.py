"""Files on their way in and out: what is read, what is written, what is noticed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from quark.catalog.adding import KNOWN_FILES, FileTaker, note_known_files
from quark.catalog.checkout import first_fault, path_within, remove_others, write_file
from quark.catalog.known_files import KnownFiles
from quark.catalog.manifest import Manifest, ManifestEntry
from quark.errors import DamagedFileError, SchemaValidationError
from quark.storage.file_copy import FileDigests, FileStamp
from quark.storage.folder_blobs import FolderBlobs
from quark.storage.protocols import Store
from tests.support.clock import FakeClock


class CountingBlobs(FolderBlobs):
    """Counts the files that are read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: list[str] = []

    def put_file(self, path: Path) -> FileDigests:
        self.read.append(path.name)
        return super().put_file(path)


def disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def later_clock() -> FakeClock:
    """A clock long after the files of this test were written."""
    return FakeClock(4 * 10**15)


def test_a_folder_that_did_not_change_is_neither_read_nor_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}").write_bytes(os.urandom(50_000))
    files = [(path.name, path) for path in sorted(folder.iterdir())]
    blobs = CountingBlobs(tmp_path / "blobs")

    with FileTaker(blobs, tmp_path, later_clock()) as taker:
        first = taker.take_all(files)
        assert len(taker.taken) == 20
    note_known_files(tmp_path)  # as if the rest were another process
    used = disk_bytes(tmp_path / "blobs")
    blobs.read.clear()
    with FileTaker(blobs, tmp_path, later_clock()) as taker:
        second = taker.take_all(files)
        assert taker.taken == set()

    assert first == second
    assert blobs.read == []
    assert disk_bytes(tmp_path / "blobs") == used
    (folder / "7").write_bytes(b"changed")
    with FileTaker(blobs, tmp_path, later_clock()) as taker:
        third = taker.take_all(files)
    assert blobs.read == ["7"]
    changed = [new.path for old, new in zip(second, third, strict=True) if old != new]
    assert changed == ["7"]
    note_known_files(tmp_path)


def test_a_file_that_was_just_written_is_not_believed_to_be_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "fresh"
    path.write_bytes(b"1")
    moment_us = path.stat().st_mtime_ns // 1000
    blobs = CountingBlobs(tmp_path / "blobs")
    for seconds in (0, 1, 1.9):
        with FileTaker(blobs, tmp_path, FakeClock(moment_us + int(seconds * 1e6))) as taker:
            taker.take(path)
    assert len(blobs.read) == 3

    for _ in range(2):
        with FileTaker(blobs, tmp_path, FakeClock(moment_us + 3_000_000)) as taker:
            taker.take(path)

    assert len(blobs.read) == 4
    blobs.delete(hashlib.sha256(b"1").hexdigest())
    with FileTaker(blobs, tmp_path, later_clock()) as taker:
        taker.take(path)
    assert len(blobs.read) == 5, "known, but not in the store any more"
    note_known_files(tmp_path)


def test_notes_of_known_files_that_are_damaged_cost_time_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / KNOWN_FILES).write_bytes(b"this is no database" * 100)
    (tmp_path / "a").write_bytes(b"1")
    blobs = CountingBlobs(tmp_path / "blobs")

    for _ in range(2):
        with FileTaker(blobs, tmp_path, later_clock()) as taker:
            assert taker.take(tmp_path / "a").size_bytes == 1
        note_known_files(tmp_path)

    assert blobs.read == ["a", "a"]


def test_files_come_out_as_they_went_in_and_can_be_edited(store: Store, tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    (source / "deep").mkdir(parents=True)
    contents = {"a.txt": b"1", "deep/b.bin": os.urandom(70_000), "empty": b""}
    for name, content in contents.items():
        (source / name).write_bytes(content)
    with FileTaker(store.blobs) as taker:
        entries = taker.take_all([(name, source / name) for name in contents])
    manifest = Manifest({entry.path: entry for entry in entries})

    for _ in range(2):
        for entry in entries:
            write_file(store.blobs, entry, out)
            (out / entry.path).stat()
    assert {name: (out / name).read_bytes() for name in contents} == contents
    assert first_fault(manifest, out) is None
    (out / "a.txt").write_bytes(b"2")
    (out / "deep" / "other").write_bytes(b"x")
    (out / ".hidden").write_bytes(b"x")

    assert "is not in the artifact" in (first_fault(manifest, out) or "")
    assert {path.name for path in remove_others(manifest, out)} == {"other", ".hidden"}
    assert "a.txt has another content" in (first_fault(manifest, out) or "")
    write_file(store.blobs, entries[0], out)
    assert first_fault(manifest, out) is None
    (out / "a.txt").unlink()
    assert first_fault(manifest, out) == "a.txt is missing"
    with store.blobs.open(entries[0].sha256 or "") as stream:
        assert stream.read() == b"1", "the edit has not reached the store"


def test_a_file_that_lies_there_already_is_read_once_and_never_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1" * 100)
    blobs, known = FolderBlobs(tmp_path / "blobs"), KnownFiles(tmp_path / KNOWN_FILES)
    with FileTaker(blobs) as taker:
        (entry,) = taker.take_all([("a", tmp_path / "a")])
    path = write_file(blobs, entry, tmp_path / "out", known, later_clock())
    before = path.stat()

    for _ in range(2):
        write_file(blobs, entry, tmp_path / "out", known, later_clock())

    assert FileStamp.of(path.stat()) == FileStamp.of(before)
    assert known.find(FileStamp.of(before)) is not None
    path.write_bytes(b"2" * 100)
    write_file(blobs, entry, tmp_path / "out", known, later_clock())
    assert path.read_bytes() == b"1" * 100
    known.close()


def test_what_is_not_kept_or_leads_outside_is_not_written(store: Store, tmp_path: Path) -> None:
    def entry(path: str, **fields: str) -> ManifestEntry:
        return ManifestEntry(path=path, digest="x", size_bytes=1, extra={}, **fields)

    with pytest.raises(DamagedFileError, match="not in the store any more"):
        write_file(store.blobs, entry("a", sha256="0" * 64), tmp_path / "out")
    with pytest.raises(SchemaValidationError, match="reference to s3://b/c"):
        write_file(store.blobs, entry("a", ref="s3://b/c"), tmp_path / "out")
    for name in ("../a", "/etc/passwd", "", "a/../../b"):
        with pytest.raises(SchemaValidationError, match="must be relative"):
            path_within(tmp_path, name)

    assert [path.name for path in (tmp_path / "out").iterdir()] == []
