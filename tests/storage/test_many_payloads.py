"""Copying payloads, one of which is not what its name says."""

from __future__ import annotations

import hashlib
from pathlib import Path

from quark.storage.folder_blobs import FolderBlobs
from quark.storage.many_payloads import SMALL_BYTES, copy_payloads


def test_a_damaged_payload_is_not_said_to_have_arrived(tmp_path: Path) -> None:
    source, target = FolderBlobs(tmp_path / "here"), FolderBlobs(tmp_path / "there")
    payloads = [b"s" * 10, b"d" * 10, b"l" * (SMALL_BYTES + 1), b"e" * (SMALL_BYTES + 1)]
    digests = [source.put(payload)[0] for payload in payloads]
    for damaged in digests[1::2]:
        path = source.path_of(damaged)
        path.chmod(0o600)
        path.write_bytes(b"?" + path.read_bytes()[1:])

    arrived = {sha256 for copied in copy_payloads(source, target, digests) for sha256 in copied[0]}

    assert arrived & set(digests) == set(digests[::2]), "who sends removes what has arrived"
    assert [target.exists(sha256) for sha256 in digests] == [True, False, True, False]
    for sha256 in arrived:
        with target.open(sha256) as stream:
            assert hashlib.sha256(stream.read()).hexdigest() == sha256
