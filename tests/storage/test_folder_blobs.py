"""When the disk is asked to take a payload, and when not."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from quark.storage.folder_blobs import FolderBlobs

pytestmark = pytest.mark.skipif(os.name != "posix", reason="files are synced elsewhere otherwise")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes of what was synced."""
    found: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: found.append(os.fstat(descriptor).st_ino))
    return found


def test_a_payload_is_synced_with_its_folder_unless_that_is_left_for_later(
    tmp_path: Path, synced: list[int]
) -> None:
    blobs = FolderBlobs(tmp_path)

    def inodes(*digests: str) -> set[int]:
        paths = [tmp_path / sha256[:2] / sha256[2:4] / sha256 for sha256 in digests]
        return {path.stat().st_ino for whole in paths for path in (whole, whole.parent)}

    at_once, _ = blobs.put(b"at once")
    assert set(synced) == inodes(at_once)

    synced.clear()
    later = [blobs.put(text, synced=False)[0] for text in (b"one", b"two", b"three")]
    later += [blobs.put(io.BytesIO(b"four"), synced=False)[0]]
    assert synced == []
    blobs.sync(later)
    assert set(synced) == inodes(*later)

    synced.clear()
    late, _ = blobs.put(b"late", synced=False)
    assert blobs.put(b"late", synced=False)[0] == late
    assert synced == []
    blobs.put(b"late")  # kept already, but whoever puts it now wants it on the disk
    assert inodes(late) <= set(synced)
