"""A payload that somebody was told is here is not removed under them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from quark.clock import SYSTEM_CLOCK
from quark.errors import SessionStoreError
from quark.storage import blob_claims
from quark.storage.embedded import EmbeddedStore
from quark.storage.protocols import Store


def test_what_was_put_or_claimed_since_is_not_removed(store: Store, tmp_path: Path) -> None:
    blobs, deadline = store.blobs, SYSTEM_CLOCK.monotonic() + 10
    old, again, claimed, of_file = (blobs.put(text)[0] for text in (b"old", b"a", b"c", b"file"))
    before_us = _later_us()
    while len(found := blobs.unclaimed(before_us)) < 4:  # object stores tell times to the second
        assert SYSTEM_CLOCK.monotonic() < deadline, found
        before_us = SYSTEM_CLOCK.time_us()
    assert found == {old: 3, again: 1, claimed: 1, of_file: 4}
    (tmp_path / "file").write_bytes(b"file")

    assert blobs.put(b"a")[0] == again
    assert blobs.claim_all([claimed]) == {claimed}
    assert blobs.put_file(tmp_path / "file").sha256 == of_file

    assert blobs.unclaimed(before_us) == {old: 3}
    assert blobs.remove_unclaimed(again, before_us) is None
    assert blobs.remove_unclaimed(claimed, before_us) is None
    assert blobs.remove_unclaimed(of_file, before_us) is None
    assert blobs.remove_unclaimed(old, before_us) == 3
    assert blobs.remove_unclaimed(old, before_us) is None
    assert set(blobs.digests()) == {again, claimed, of_file}
    assert [blobs.claim(name) for name in (old, "0" * 64, "no digest")] == [False] * 3
    assert blobs.put(b"old")[0] == old, "what was removed can be put again"
    assert blobs.exists(old)
    store.close()
    for call in (lambda: blobs.claim(old), lambda: blobs.unclaimed(0)):
        with pytest.raises(SessionStoreError):
            call()


def test_claiming_and_removing_at_the_same_time_never_leaves_a_claim_on_nothing(
    tmp_path: Path,
) -> None:
    """Two threads with descriptors of their own exclude each other as two processes do."""
    blobs = EmbeddedStore(tmp_path).blobs
    claims, count = [0, 0], 100
    for number in range(count):
        sha256, _ = blobs.put(b"%d" % number, synced=False)
        path = tmp_path / "blobs" / sha256[:2] / sha256[2:4] / sha256
        os.utime(path, (1_000_000_000, 1_000_000_000))
        start = threading.Barrier(2)
        answers: list[bool] = []

        def claim(sha256: str = sha256, start: threading.Barrier = start) -> None:
            start.wait(60)
            answers.append(blobs.claim(sha256))  # noqa: B023

        claimer = threading.Thread(target=claim)
        claimer.start()
        start.wait(60)
        removed = blobs.remove_unclaimed(sha256, 1_500_000_000_000_000)
        claimer.join(60)

        assert answers == [blobs.exists(sha256)] == [removed is None]
        claims[answers[0]] += 1
    assert sum(claims) == count


def test_a_payload_that_is_being_claimed_stays(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "payload"
    path.write_bytes(b"1234")

    with path.open("rb") as claiming:
        fcntl.flock(claiming.fileno(), fcntl.LOCK_SH)
        assert blob_claims.remove_unclaimed(path, _later_us()) is None
    assert blob_claims.remove_unclaimed(path, _later_us()) == 4
    assert blob_claims.claim(path) is False


def _later_us() -> int:
    """Return a time after everything that was done, at the resolution of a file's times."""
    start = SYSTEM_CLOCK.time_us()
    while (
        SYSTEM_CLOCK.time_us() < start + 20_000
    ):  # what is put within a tick of the clock counts as later
        pass
    return SYSTEM_CLOCK.time_us()
