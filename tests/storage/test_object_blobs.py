"""Payloads in an object store: what is sent, what is read, and who may remove what when."""

from __future__ import annotations

import hashlib
import io
import os
import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from quark.errors import SchemaValidationError, SessionStoreError, SettingsError
from quark.storage.known_stream import KnownStream
from quark.storage.object_blobs import ObjectBlobs
from quark.storage.object_bucket import BucketOptions, ObjectBucket, ObjectStatus, open_bucket
from quark.storage.ranged_file import RangedFile
from tests.support.clock import FakeClock
from tests.support.ports import lasting_port

obstore_stores = pytest.importorskip("obstore.store", reason="obstore is not installed")


class Bucket(ObjectBucket):
    """obstore's store in memory: its requests are counted, and it has the test's time.

    ``before_request`` is called before each request, as other processes act between ours.
    """

    def __init__(self, clock: FakeClock, options: BucketOptions | None = None) -> None:
        super().__init__(obstore_stores.MemoryStore(), "a", "memory:", options or BucketOptions())
        self.clock = clock
        self.requests: list[str] = []
        self.before_request: Callable[[], None] = lambda: None
        self.gives_ranges = True
        self._times: dict[str, int] = {}

    def put(self, key: str, content: bytes) -> None:
        self._request("put")
        super().put(key, content)
        self._times[key] = self.clock.time_us() // 1_000_000 * 1_000_000

    def put_pieces(self, key: str, pieces: Iterable[bytes | memoryview], size_bytes: int) -> None:
        self._request("put in parts")
        super().put_pieces(key, pieces, size_bytes)
        self._times[key] = self.clock.time_us() // 1_000_000 * 1_000_000

    def list(self, folder: str = "") -> Iterator[ObjectStatus]:
        self._request("list")
        for status in super().list(folder):
            yield status._replace(modified_us=self._times[status.key])

    def delete(self, keys: Any) -> None:
        self._request("delete")
        super().delete(keys)

    def range(self, key: str, start: int, size_bytes: int) -> bytes | None:
        self._request("range")
        return super().range(key, start, size_bytes) if self.gives_ranges else None

    def _request(self, what: str) -> None:
        self.requests.append(what)
        self.before_request()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(FakeClock())


# -- what is sent --------------------------------------------------------------------------------


def test_nothing_is_sent_twice(bucket: Bucket, tmp_path: Path) -> None:
    blobs = ObjectBlobs(bucket)
    large = random.Random(1).randbytes(9 << 20)
    path = tmp_path / "large"
    path.write_bytes(large)

    blobs.put(b"small")
    first = blobs.put(io.BytesIO(large))
    assert bucket.requests == ["list", "put", "list", "put in parts"]

    bucket.requests.clear()
    assert blobs.put(io.BytesIO(large)) == blobs.put_file(path)[::2] == first
    blobs.put(b"small")
    assert "put in parts" not in bucket.requests
    sizes = [status.size_bytes for status in bucket.list("blobs") if status.size_bytes]
    assert sorted(sizes) == [5, len(large)]


def test_an_upload_in_parts_holds_few_parts_and_is_whole_or_not_there(bucket: Bucket) -> None:
    blobs = ObjectBlobs(bucket)
    pieces = [bytes([number]) * (1 << 20) for number in range(20)]
    whole = b"".join(pieces)
    sha256 = hashlib.sha256(whole).hexdigest()

    for wrong in (
        KnownStream(pieces, "0" * 64, len(whole)),
        KnownStream(pieces, sha256, len(whole) - 1),
        KnownStream(pieces[:-1], sha256, len(whole)),
    ):
        with pytest.raises(SchemaValidationError, match="send it again"):
            blobs.put(wrong)  # type: ignore[arg-type]
    assert list(blobs.digests()) == []

    assert blobs.put(KnownStream(pieces, sha256, len(whole))) == (sha256, len(whole))  # type: ignore[arg-type]
    with blobs.open(sha256) as file:
        assert file.read() == whole


def test_a_payload_can_be_put_from_the_bucket_that_it_goes_to(bucket: Bucket) -> None:
    """obstore cannot be asked for anything by what it reads from inside its own event loop."""
    content = random.Random(2).randbytes(17 << 20)
    bucket.put("part", content)
    sha256 = hashlib.sha256(content).hexdigest()

    blobs = ObjectBlobs(bucket)
    pieces = iter(partial(RangedFile(bucket, "part", len(content)).read, 1 << 20), b"")
    blobs.put(KnownStream(pieces, sha256, len(content)))  # type: ignore[arg-type]

    with blobs.open(sha256) as file:
        assert file.read() == content


def test_a_file_that_is_written_while_it_is_sent_is_taken_as_it_is_at_last(
    bucket: Bucket, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * 1000)
    changes = iter([b"b" * 1000, b"c" * 1001])

    def change() -> None:
        content = next(changes, None)
        if content is not None:
            path.write_bytes(content)
            status = path.stat()  # some clocks of files tick slowly
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + len(content)))

    bucket.before_request = change
    found = ObjectBlobs(bucket).put_file(path)

    assert found.sha256 == hashlib.sha256(b"c" * 1001).hexdigest()


def test_a_hole_stays_a_hole(bucket: Bucket, tmp_path: Path) -> None:
    path, copy = tmp_path / "sparse", tmp_path / "copy"
    with path.open("wb") as file:
        file.seek(3 << 20)
        file.write(b"end")
        file.truncate(4 << 20)
    blobs = ObjectBlobs(bucket)

    blobs.copy_to(blobs.put_file(path).sha256, copy)

    assert copy.read_bytes() == path.read_bytes()
    assert copy.stat().st_blocks * 512 <= 1 << 20


# -- what is read --------------------------------------------------------------------------------


@pytest.mark.parametrize("gives_ranges", [True, False])
@settings(max_examples=15)
@given(
    moves=st.lists(
        st.tuples(st.integers(0, 1_300_000), st.integers(0, 2), st.integers(-1, 900_000)),
        max_size=8,
    )
)
def test_reads_anywhere_are_those_of_a_file(
    gives_ranges: bool, moves: list[tuple[int, int, int]]
) -> None:
    content = random.Random(7).randbytes(1_234_567)
    bucket = Bucket(FakeClock())
    bucket.gives_ranges = gives_ranges
    bucket.put("x", content)
    mine, theirs = RangedFile(bucket, "x", len(content)), io.BytesIO(content)

    with io.BufferedReader(mine) as reader:
        for offset, whence, count in moves:
            place = (offset, offset - reader.tell(), offset - len(content))[whence]
            assert reader.seek(place, whence) == theirs.seek(place, whence)
            assert reader.read(count) == theirs.read(count)


def test_a_look_at_the_end_of_a_large_payload_is_one_small_request(bucket: Bucket) -> None:
    blobs = ObjectBlobs(bucket)
    sha256, size_bytes = blobs.put(bytes(4 << 20))
    bucket.requests.clear()

    with blobs.open(sha256) as file:
        file.seek(-10, io.SEEK_END)
        assert file.read() == bytes(10)

    assert bucket.requests == ["list", "range"]
    assert size_bytes == 4 << 20


def test_a_payload_that_is_removed_under_a_reader_is_a_fault_of_the_store(bucket: Bucket) -> None:
    blobs = ObjectBlobs(bucket)
    sha256, _ = blobs.put(b"here")
    for gives_ranges in (True, False):
        bucket.gives_ranges = gives_ranges
        blobs.put(b"here")
        with blobs.open(sha256) as file:
            blobs.delete(sha256)
            with pytest.raises(SessionStoreError, match="removed while it was read"):
                file.read()


# -- who may remove what -------------------------------------------------------------------------


def between(bucket: Bucket, number: int, act: Callable[[], Any]) -> list[Any]:
    """Let somebody else ``act`` before our request of this number; return what came of it."""
    answers: list[Any] = []
    count = 0

    def maybe() -> None:
        nonlocal count
        count += 1
        if count == number + 1:
            bucket.before_request = lambda: None  # the other side's own requests
            answers.append(act())
            bucket.before_request = maybe

    bucket.before_request = maybe
    return answers


@pytest.mark.parametrize("use", ["claim", "put", "put_file"])
@pytest.mark.parametrize("first", ["collector", "user"])
def test_between_any_two_requests_of_one_side_the_other_may_do_all_of_its_own(
    use: str, first: str, tmp_path: Path
) -> None:
    """So does a process that is paused there for a day."""
    (tmp_path / "file").write_bytes(b"payload")
    outcomes = set()
    for number in range(12):
        clock = FakeClock()
        bucket = Bucket(clock)
        mine, theirs = ObjectBlobs(bucket), ObjectBlobs(bucket)
        sha256, _ = mine.put(b"payload")
        clock.advance(100)
        before_us = clock.time_us()
        clock.advance(5)

        def uses(mine: ObjectBlobs = mine, sha256: str = sha256) -> bool:
            if use == "claim":
                return mine.claim(sha256)
            if use == "put":
                mine.put(b"payload")
            else:
                mine.put_file(tmp_path / "file")
            return True

        def removes(
            theirs: ObjectBlobs = theirs, sha256: str = sha256, before_us: int = before_us
        ) -> int | None:
            return theirs.remove_unclaimed(sha256, before_us)

        inner, outer = (uses, removes) if first == "collector" else (removes, uses)
        answers = between(bucket, number, inner)
        last = outer()
        bucket.before_request = lambda: None
        relied_on = bool(answers and answers[0]) if first == "collector" else bool(last)

        if relied_on:
            with mine.open(sha256) as file:
                assert file.read() == b"payload"
            assert theirs.remove_unclaimed(sha256, before_us) is None
            assert sha256 not in theirs.unclaimed(before_us)
        is_here = mine.exists(sha256)
        outcomes.add((bool(answers), relied_on, is_here))
        clock.advance(10)
        assert theirs.remove_unclaimed(sha256, clock.time_us()) == (7 if is_here else None)
        assert list(bucket.list()) == []
    assert len(outcomes) > 1, "the two sides never met"


def test_a_collector_that_died_half_way_leaves_a_payload_that_can_be_read_and_put_again(
    bucket: Bucket,
) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    blobs = ObjectBlobs(bucket)
    sha256, _ = blobs.put(b"payload")
    bucket.clock.advance(100)
    between(bucket, 2, die)
    with pytest.raises(Killed):
        blobs.remove_unclaimed(sha256, bucket.clock.time_us())
    bucket.before_request = lambda: None

    assert blobs.exists(sha256)
    with blobs.open(sha256) as file:
        assert file.read() == b"payload"
    assert not blobs.claim(sha256), "nobody knows whether the collector goes on"
    blobs.put(b"payload")
    assert blobs.claim(sha256)
    bucket.clock.advance(100)
    assert blobs.remove_unclaimed(sha256, bucket.clock.time_us()) == 7
    assert list(bucket.list()) == []


def test_claims_do_not_pile_up(bucket: Bucket) -> None:
    blobs = ObjectBlobs(bucket)
    sha256, _ = blobs.put(b"payload")

    for _ in range(20):
        bucket.clock.advance(0.4)
        assert blobs.claim(sha256)
    bucket.put(f"blobs/00/00/{'0' * 64}/claim-left", b"")
    bucket.clock.advance(100)

    assert len(list(bucket.list())) == 3
    assert blobs.unclaimed(bucket.clock.time_us()) == {sha256: 7}
    assert len(list(bucket.list())) == 2


# -- whose payloads are whose, and what errors say -----------------------------------------------


def test_namespaces_never_see_each_other(bucket: Bucket) -> None:
    names = ["team", "team/blobs", "team/blobs/ab/cd", "team/vision", "teams"]
    stores = {name: ObjectBlobs(_plain(bucket).below(name)) for name in names}
    kept = {name: blobs.put(name.encode())[0] for name, blobs in stores.items()}

    for name, blobs in stores.items():
        assert list(blobs.digests()) == [kept[name]]
        assert [blobs.exists(sha256) for sha256 in kept.values()].count(True) == 1
    for name in ("", "..", "team/../other", "/team", "team//x", "tea\nm"):
        with pytest.raises(SettingsError, match="cannot be a folder"):
            bucket.below(name)


def _plain(bucket: Bucket) -> ObjectBucket:
    return ObjectBucket(bucket._store, "", "memory:", BucketOptions())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://", "no URL for payloads"),
        ("gs://bucket", "no URL for payloads"),
        ("s3://bucket?secret=1", "nothing but endpoint"),
        ("s3://key:hidden@bucket/p", "holds credentials"),
        ("s3://bucket?endpoint=http://key:hidden@host", "holds credentials"),
        ("s3://bucket/a/../b", "cannot be a folder"),
    ],
)
def test_a_url_that_is_not_one_is_refused_without_showing_secrets(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        open_bucket(url)
    assert "hidden" not in str(caught.value)


def test_a_store_that_does_not_answer_is_an_error_without_secrets(tmp_path: Path) -> None:
    options = BucketOptions(max_retries=0, connect_timeout_seconds=1, timeout_seconds=2)
    url = f"s3://bucket/p?endpoint=http://127.0.0.1:{lasting_port()}&region=r"
    credentials = {"access_key_id": "AKHIDDEN", "secret_access_key": "hidden"}
    blobs = ObjectBlobs(open_bucket(url, options, credentials=credentials))
    (tmp_path / "file").write_bytes(b"x")
    calls: list[Callable[[], object]] = [
        lambda: blobs.put(b"x"),
        lambda: blobs.put_file(tmp_path / "file"),
        lambda: blobs.open("0" * 64),
        lambda: blobs.exists("0" * 64),
        lambda: blobs.claim("0" * 64),
        lambda: list(blobs.digests()),
        lambda: blobs.unclaimed(0),
        partial(blobs.delete, "0" * 64),
        partial(blobs.bucket.delete, ["x"]),
    ]

    for call in calls:
        with pytest.raises(SessionStoreError, match="s3://bucket/p cannot be used") as caught:
            call()
        assert "hidden" not in f"{caught.value!r} {caught.value.__cause__!r}".lower()
        assert caught.value.__suppress_context__


def test_options_that_s3_would_refuse_are_refused() -> None:
    with pytest.raises(SettingsError, match="part_bytes"):
        BucketOptions(part_bytes=1 << 20)
    with pytest.raises(SettingsError, match="part_concurrency"):
        BucketOptions(part_concurrency=0)
