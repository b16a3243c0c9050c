"""What becomes of payloads on disk: damage, other processes, modes, stores that cannot take one."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from quark import ArtifactRecord, ArtifactStore, EventLogger, SessionStoreError, TrainingSession
from quark.errors import DamagedFileError, SchemaValidationError
from quark.session.reading import load_context
from quark.settings import Settings

MANY_BYTES = 200 * 1024 * 1024


def start(folder: Path, **arguments: Any) -> TrainingSession:
    return TrainingSession.start_run(project="p", storage_dir=folder, **arguments)


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.chmod(0o644)
    path.write_bytes(change(path.read_bytes()))  # in place: the inode stays


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: b"[" + content[1:-1] + b"]", id="same-size"),
        pytest.param(lambda content: content[:-1], id="cut"),
        pytest.param(lambda content: content + b" ", id="still-the-same-json"),
        pytest.param(lambda content: b"", id="emptied"),
    ],
)
def test_a_payload_that_was_changed_on_disk_is_found_and_can_be_restored(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    with start(tmp_path) as session, ArtifactStore(session) as artifacts:
        record = artifacts.store("summary", "a/b", {"mean": 0.5})
        twin = artifacts.store("summary", "twin", {"mean": 0.5})
        other = artifacts.store("summary", "c", {"mean": 0.25})
        root = Path(session.context.store_root)
        content = (root / record.payload_relative_path).read_bytes()
        edit(root / record.payload_relative_path, change)
        found = sha256(change(content)).hexdigest()

        for read in (artifacts.load, artifacts.open):
            with pytest.raises(DamagedFileError, match="changed on disk") as caught:
                read(record.id)
            for word in (record.sha256, found, record.payload_relative_path, "a/b", record.id):
                assert word in str(caught.value)
        with pytest.raises(DamagedFileError):
            artifacts.load(twin)  # the same bytes, kept once
        assert artifacts.load(other) == {"mean": 0.25}

        blob = root / "blobs" / record.sha256[:2] / record.sha256[2:4] / record.sha256
        assert str(blob) in str(caught.value)
        blob.unlink()
        artifacts.store("summary", "again", {"mean": 0.5})
        assert artifacts.load(record) == artifacts.load(twin) == {"mean": 0.5}


def test_a_payload_that_is_gone_is_said_so(tmp_path: Path) -> None:
    with start(tmp_path) as session, ArtifactStore(session) as artifacts:
        record = artifacts.store("summary", "a", "text")
        root = Path(session.context.store_root)
        for path in (*(root / "blobs").glob("??/??/*"), root / record.payload_relative_path):
            path.unlink()

        with pytest.raises(DamagedFileError, match=f"no blob {record.sha256}"):
            artifacts.load(record)


class Endless(io.RawIOBase):
    """``size`` bytes, made as they are read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size
        self.largest_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = min(len(buffer), self._left)
        self.largest_read = max(self.largest_read, count)
        buffer[:count] = bytes([self._left % 251]) * count
        self._left -= count
        return count


def test_large_payloads_stream_in_constant_memory(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse.bin"
    with sparse.open("wb") as file:
        file.truncate(MANY_BYTES // 4)
    source = Endless(MANY_BYTES)
    with start(tmp_path) as session, ArtifactStore(session) as artifacts:
        artifacts.store("warm", "up", b"x")
        tracemalloc.start()
        try:
            made = artifacts.store("checkpoint", "made", source)
            read = artifacts.store("checkpoint", "file", sparse)
            with artifacts.open(made) as stream:
                first = stream.read(1)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert (made.size_bytes, read.size_bytes) == (MANY_BYTES, MANY_BYTES // 4)
    assert first == bytes([MANY_BYTES % 251])
    assert read.sha256 == sha256(bytes(MANY_BYTES // 4)).hexdigest()
    assert peak_bytes < 8 * 1024 * 1024
    assert source.largest_read <= 4 * 1024 * 1024


def test_another_process_loads_what_this_one_stored(tmp_path: Path, python: str) -> None:
    script = (
        "import sys; from quark import ArtifactStore\n"
        "from quark.session.reading import load_context; from quark.settings import Settings\n"
        "context = load_context(sys.argv[1], Settings.load(storage_dir=sys.argv[2]))\n"
        "with ArtifactStore(context) as artifacts:\n"
        "    print(artifacts.load(sys.argv[3]), len(artifacts.read()))\n"
    )
    with start(tmp_path) as session, ArtifactStore(session) as artifacts:
        record = artifacts.store("note", "n", {"a": [1, 2]})
        command = [python, "-c", script, session.run_id, str(tmp_path), record.id]
        result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.stdout == "{'a': [1, 2]} 1\n", result.stderr


def test_offline_keeps_the_payload_until_the_record_is_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARK_MODE", "offline")
    with start(tmp_path) as session, ArtifactStore(session) as artifacts:
        record = artifacts.store("note", "n", "kept")
        assert artifacts.load(record) == "kept"
        with pytest.raises(SessionStoreError, match="offline"):
            artifacts.load(record.id)
    monkeypatch.delenv("QUARK_MODE")

    context = load_context(session.run_id, Settings.load(storage_dir=str(tmp_path)))

    with ArtifactStore(context) as artifacts:
        assert artifacts.read() == (record,)
        assert artifacts.load(record.id) == "kept"


def test_disabled_keeps_nothing_and_takes_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARK_MODE", "disabled")
    unread = Endless(1_000)
    with start(tmp_path) as session, ArtifactStore(session) as artifacts:
        record = artifacts.store("note", "a/n", "x", step=3)
        artifacts.store("checkpoint", "big", unread)
        artifacts.log_histogram("h", bins=[0, 1], counts=[1])
        with pytest.raises(SchemaValidationError, match="Artifact type"):
            artifacts.store("no/type", "n", 1)

        assert (record.id, record.sha256, record.artifact_key, record.step) == ("", "", "a/n", 3)
        assert artifacts.read() == ()
        with pytest.raises(SessionStoreError, match="'disabled'"):
            artifacts.load(record)
    assert list(tmp_path.iterdir()) == []
    assert unread.largest_read == 0


def test_a_store_that_cannot_take_a_payload_does_not_stop_the_training(tmp_path: Path) -> None:
    with (
        start(tmp_path) as session,
        ArtifactStore(session) as artifacts,
        EventLogger(session) as log,
    ):
        (Path(session.context.store_root) / "blobs").write_text("in the way")
        lost = artifacts.store("note", "n", "x", step=7)
        artifacts.store("note", "n", "y")

        assert (lost.id, lost.sha256, lost.step) == ("", "", 7)
        assert artifacts.read() == ()
        first, _ = log.read(event_type="artifact_lost")
        assert (first.severity, first.step, first.payload["artifact_key"]) == ("error", 7, "n")
        counts = session.handle.faults.counts()
        assert counts == {"the payload of an artifact could not be stored": 2}

    with (
        start(tmp_path, strict_mode=True) as session,
        ArtifactStore(session) as artifacts,
        pytest.raises(SessionStoreError, match="cannot be used"),
    ):
        artifacts.store("note", "n", "x")


def test_without_hard_links_the_path_is_the_blobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: Any) -> None:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    monkeypatch.setattr(os, "link", no_links)
    with start(tmp_path) as session, ArtifactStore(session) as artifacts:
        record = artifacts.store("note", "n", "x")

        assert record.payload_relative_path.endswith(record.sha256)
        root = Path(session.context.store_root)
        assert (root / record.payload_relative_path).read_text() == "x"
        assert (root / record.metadata_relative_path).exists()
        assert artifacts.load(record) == "x"


def test_readable_files_that_cannot_be_written_cost_only_themselves(tmp_path: Path) -> None:
    with start(tmp_path) as session, ArtifactStore(session) as artifacts:
        (session.run_path / "artifacts").write_text("in the way")
        record = artifacts.store("note", "n", "x")

        assert (record.payload_relative_path, record.metadata_relative_path) == ("", "")
        assert artifacts.load(record.id) == "x"
        assert session.handle.faults.counts() == {
            "the readable files of an artifact are missing": 1
        }


def test_retention_hooks_see_every_artifact_and_call_no_hooks(tmp_path: Path) -> None:
    seen: list[tuple[str, Any]] = []

    def keep_index(store: ArtifactStore, record: ArtifactRecord) -> None:
        seen.append((record.artifact_key, store.load(record)))
        store.store("index", f"of/{record.artifact_name}", [r.id for r in store.read()])

    def second(store: ArtifactStore, record: ArtifactRecord) -> None:
        seen.append((record.artifact_key, "second"))

    with (
        start(tmp_path) as session,
        ArtifactStore(session, retention_hooks=(keep_index, second)) as artifacts,
    ):
        artifacts.store("note", "a", 1)
        artifacts.store("note", "b", 2)

        keys = [record.artifact_key for record in artifacts.read()]
    assert seen == [("a", 1), ("a", "second"), ("b", 2), ("b", "second")]
    assert keys == ["a", "of/a", "b", "of/b"]


@pytest.mark.parametrize("strict_mode", [False, True])
@pytest.mark.parametrize("raise_on_retention_error", [None, False, True])
def test_a_hook_that_fails_raises_only_where_that_is_asked_for(
    tmp_path: Path, strict_mode: bool, raise_on_retention_error: bool | None
) -> None:
    def broken(store: ArtifactStore, record: ArtifactRecord) -> None:
        raise RuntimeError("no room")

    raises = strict_mode if raise_on_retention_error is None else raise_on_retention_error
    raised = 0
    with (
        start(tmp_path, strict_mode=strict_mode) as session,
        ArtifactStore(
            session,
            retention_hooks=(broken,),
            raise_on_retention_error=raise_on_retention_error,
        ) as artifacts,
    ):
        for _ in range(2):
            try:
                artifacts.store("note", "n", 1)
            except RuntimeError:
                raised += 1
        assert len(artifacts.read()) == 2
        ((cause, count),) = session.handle.faults.counts().items()

    assert raised == (2 if raises else 0)
    assert "broken" in cause
    assert count == 2


@pytest.mark.parametrize("hooks", [(7,), lambda store, record: None])
def test_hooks_that_are_none_are_refused_and_nothing_stays_open(tmp_path: Path, hooks: Any) -> None:
    with start(tmp_path) as session:
        pass

    with pytest.raises(SchemaValidationError, match="hook"):
        ArtifactStore(session.context, retention_hooks=hooks)
