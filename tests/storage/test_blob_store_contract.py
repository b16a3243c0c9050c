"""What every store promises about payloads."""

from __future__ import annotations

import io
import random
from hashlib import md5, sha256
from pathlib import Path

import pytest

from quark.errors import SessionStoreError
from quark.storage.many_payloads import copy_payloads
from quark.storage.memory import MemoryStore
from quark.storage.protocols import Store

PAYLOADS = [
    pytest.param(b"", id="empty"),
    pytest.param(b"hello", id="small"),
    pytest.param(bytes(range(256)) * 10_000, id="several-pieces"),
]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("as_stream", [True, False])
def test_a_payload_comes_back_under_its_digest(
    store: Store, payload: bytes, as_stream: bool
) -> None:
    digest, size = store.blobs.put(io.BytesIO(payload) if as_stream else payload)

    assert (digest, size) == (sha256(payload).hexdigest(), len(payload))
    assert store.blobs.exists(digest)
    with store.blobs.open(digest) as stream:
        assert stream.read() == payload


def test_the_same_payload_is_kept_once(store: Store) -> None:
    first, second = store.blobs.put(b"same"), store.blobs.put(io.BytesIO(b"same"))

    assert first == second
    assert list(store.blobs.digests()) == [first[0]]


def test_digests_names_every_payload(store: Store) -> None:
    expected = {store.blobs.put(f"payload {number}".encode())[0] for number in range(20)}

    assert set(store.blobs.digests()) == expected


def test_no_payloads_have_no_digests(store: Store) -> None:
    assert list(store.blobs.digests()) == []


def test_a_deleted_payload_is_gone_and_deleting_it_again_is_harmless(store: Store) -> None:
    digest, _ = store.blobs.put(b"short-lived")

    store.blobs.delete(digest)
    store.blobs.delete(digest)

    assert not store.blobs.exists(digest)
    assert list(store.blobs.digests()) == []


@pytest.mark.parametrize("digest", ["0" * 64, "", "../../etc/passwd", "ABC"])
def test_a_payload_that_is_not_there_is_a_key_error(store: Store, digest: str) -> None:
    assert not store.blobs.exists(digest)
    store.blobs.delete(digest)
    with pytest.raises(KeyError):
        store.blobs.open(digest)


def test_a_stream_that_breaks_leaves_nothing(store: Store) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise RuntimeError("the network went away")

    with pytest.raises(RuntimeError, match="went away"):
        store.blobs.put(Broken())

    assert list(store.blobs.digests()) == []


def test_a_file_is_put_under_its_digests_and_comes_back_as_a_file_of_its_own(
    store: Store, tmp_path: Path
) -> None:
    payload = random.Random(0).randbytes(3_000_001)
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(payload)

    found = store.blobs.put_file(source)
    source.write_bytes(b"edited in place")
    store.blobs.sync([found.sha256])
    copy.write_bytes(b"something longer than nothing was here before")
    store.blobs.copy_to(found.sha256, copy)

    assert found == (sha256(payload).hexdigest(), md5(payload).hexdigest(), len(payload))
    assert copy.read_bytes() == payload
    copy.write_bytes(b"edited in place")
    with store.blobs.open(found.sha256) as stream:
        assert stream.read() == payload
    assert store.blobs.put(payload)[0] == found.sha256
    assert list(store.blobs.digests()) == [found.sha256]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("as_stream", [True, False])
def test_a_payload_that_is_synced_later_is_there_at_once(
    store: Store, payload: bytes, as_stream: bool
) -> None:
    def source() -> io.BytesIO | bytes:
        return io.BytesIO(payload) if as_stream else payload

    found = store.blobs.put(source(), synced=False)

    assert found == (sha256(payload).hexdigest(), len(payload))
    with store.blobs.open(found[0]) as stream:
        assert stream.read() == payload
    assert store.blobs.put(source(), synced=False) == found
    assert store.blobs.put(source(), synced=True) == found
    assert list(store.blobs.digests()) == [found[0]]


def test_payloads_are_synced_many_at_once(store: Store) -> None:
    kept = [store.blobs.put(f"payload {number}".encode(), synced=False)[0] for number in range(50)]

    store.blobs.sync([])
    store.blobs.sync(kept)
    store.blobs.sync(kept)  # nothing is left to be done

    with pytest.raises(KeyError, match="0" * 64):
        store.blobs.sync([*kept, "0" * 64])
    assert set(store.blobs.digests()) == set(kept)


def test_a_file_that_is_not_there_is_no_fault_of_the_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.blobs.put_file(tmp_path / "missing")
    with pytest.raises(KeyError):
        store.blobs.copy_to("0" * 64, tmp_path / "copy")
    with pytest.raises(KeyError):
        store.blobs.sync(["0" * 64])

    assert not (tmp_path / "copy").exists()
    assert list(store.blobs.digests()) == []


def test_many_payloads_and_files_are_put_and_claimed_as_one_is(
    store: Store, tmp_path: Path
) -> None:
    contents = [b"", b"same", b"same", bytes(300_000), *(b"%d" % number for number in range(120))]
    paths = [tmp_path / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    alone = store.blobs.put_file(paths[5])

    found = store.blobs.put_all([*paths, b"in memory", b"same"])

    wanted = [*contents, b"in memory", b"same"]
    assert [one.sha256 for one in found] == [sha256(content).hexdigest() for content in wanted]
    assert [one.md5 for one in found] == [md5(content).hexdigest() for content in wanted]
    assert [one.size_bytes for one in found] == [len(content) for content in wanted]
    assert found[5] == alone
    names = {one.sha256 for one in found}
    store.blobs.sync(names)
    assert set(store.blobs.digests()) == names
    for name, content in zip(names, map(bytes, wanted), strict=False):
        with store.blobs.open(sha256(content).hexdigest()) as stream:
            assert stream.read() == content, name

    assert store.blobs.claim_all([*sorted(names), "0" * 64, "no digest", "../../etc"]) == names
    assert store.blobs.claim_all([]) == set()
    assert store.blobs.put_all([]) == []
    with pytest.raises(FileNotFoundError):
        store.blobs.put_all([paths[0], tmp_path / "missing"])


def test_payloads_are_copied_from_one_store_into_another(store: Store) -> None:
    other = MemoryStore()
    small = [other.blobs.put(b"small %d" % number)[0] for number in range(40)]
    large = other.blobs.put(random.Random(1).randbytes(400_000))[0]
    store.blobs.put(b"small 7")

    done = list(copy_payloads(other.blobs, store.blobs, [*small, large, "0" * 64]))
    again = list(copy_payloads(other.blobs, store.blobs, [*small, large]))
    back = list(copy_payloads(store.blobs, other.blobs, [large, small[0]]))

    names = [sha256 for group in done for sha256 in group.digests]
    assert sorted(names) == sorted([*small, large])
    assert set(store.blobs.digests()) == set(names)
    assert [sum(group.sent_count for group in groups) for groups in (done, again, back)] == [
        40,
        0,
        0,
    ]
    store.close()
    with pytest.raises(SessionStoreError):
        store.blobs.claim_all(names)
