"""Copies keep holes, notice a file that will not hold still, and clean up after the dead."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from quark.errors import SchemaValidationError
from quark.storage import file_copy
from quark.storage.file_copy import copy_and_digest, copy_file, data_ranges, digest_file
from quark.storage.folder_blobs import FolderBlobs

BLOCK = 65_536


def sparse_file(path: Path, pieces: list[tuple[int, bytes]], size_bytes: int) -> bytes:
    """Write ``pieces`` at their places into a file that is a hole elsewhere."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
        for position, piece in pieces:
            file.seek(position)
            file.write(piece)
    return path.read_bytes()


@settings(max_examples=25)
@given(
    places=st.lists(st.integers(0, 40), max_size=6, unique=True),
    tail=st.integers(0, BLOCK),
)
def test_a_sparse_file_is_copied_with_its_holes(
    places: list[int], tail: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sparse")
    pieces = [(place * BLOCK, random.Random(place).randbytes(BLOCK - 7)) for place in places]
    content = sparse_file(folder / "source", pieces, 41 * BLOCK + tail)

    with (folder / "digested").open("xb") as target:
        found = copy_and_digest(folder / "source", target.fileno())
    with (folder / "source").open("rb") as source, (folder / "plain").open("xb") as target:
        copy_file(source.fileno(), target.fileno())
        ranges = list(data_ranges(source.fileno(), len(content)))

    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.md5 == hashlib.md5(content).hexdigest()
    assert found == digest_file(folder / "source")
    outside = bytearray(content)
    for start, end in ranges:
        outside[start:end] = bytes(end - start)
    assert not any(outside), "what is no range of data is zeros"
    original = (folder / "source").stat()
    for name in ("digested", "plain"):
        copy = folder / name
        assert copy.read_bytes() == content
        assert copy.stat().st_blocks <= original.st_blocks + 16
        assert copy.stat().st_ino != original.st_ino


def test_a_file_that_is_written_meanwhile_is_read_again_and_then_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "checkpoint"
    source.write_bytes(b"a" * 9_000_000)
    monkeypatch.setattr(file_copy, "share_blocks", lambda source, target: False)
    original = file_copy._write_all
    edits_left = [1]

    def write_while_someone_edits(target: int, piece: bytes | memoryview, position: int) -> None:
        if position and edits_left[0]:
            edits_left[0] -= 1
            with source.open("r+b") as file:
                file.write(b"b%d" % edits_left[0])
        original(target, piece, position)

    monkeypatch.setattr(file_copy, "_write_all", write_while_someone_edits)
    blobs = FolderBlobs(tmp_path / "blobs")

    found = blobs.put_file(source)
    edits_left[0] = 100
    with pytest.raises(SchemaValidationError, match=r"checkpoint was changed while it was added"):
        blobs.put_file(source)

    with blobs.open(found.sha256) as stream:
        assert stream.read() == b"b0" + b"a" * 8_999_998
    assert list(blobs.digests()) == [found.sha256]
    assert os.listdir(tmp_path / "blobs" / "incoming") == []


def test_what_a_killed_process_was_writing_is_removed_by_the_next_put(tmp_path: Path) -> None:
    incoming = tmp_path / "blobs" / "incoming"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.storage.children", "hang_inside_put", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "inside\n"
    FolderBlobs(tmp_path / "blobs").put(b"1")
    while_it_writes = os.listdir(incoming)

    child.send_signal(signal.SIGKILL)
    child.wait(60)
    child.stdout.close()
    FolderBlobs(tmp_path / "blobs").put(b"2")

    assert len(while_it_writes) == 1, "a file that is still being written stays"
    assert os.listdir(incoming) == []


def test_threads_that_put_while_others_tidy_up_lose_nothing(tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def put_many(number: int) -> None:
        try:
            for index in range(30):
                FolderBlobs(tmp_path).put(b"%d %d" % (number, index))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=put_many, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert len(list(FolderBlobs(tmp_path).digests())) == 120
    assert os.listdir(tmp_path / "incoming") == []
