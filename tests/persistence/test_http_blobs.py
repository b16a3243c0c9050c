"""Payloads over HTTP, through a real service: what is sent, what is not, and what is checked."""

from __future__ import annotations

import hashlib
import io
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from quark.errors import (
    AuthenticationError,
    DamagedFileError,
    RecordRejectedError,
    SchemaValidationError,
    SessionStoreError,
)
from quark.persistence.http_blobs import HttpBlobs
from quark.persistence.payload_download import PayloadSource
from quark.persistence.payload_upload import Content, PayloadUpload
from quark.persistence.repeating import repeated
from quark.persistence.service_client import ServiceClient
from tests.support.service import RunningService, running_service, service_config
from tests.support.threads import lasting_threads

MIB = 1 << 20
LARGE = random.Random(5).randbytes(20 * MIB + 3)


class CountingClient(ServiceClient):
    """Notes the bodies that are sent."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.sent: list[int] = []
        self.fail_after: int | None = None

    @contextmanager
    def stream(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        if method == "PUT":
            if self.fail_after is not None and len(self.sent) >= self.fail_after:
                raise KeyboardInterrupt
            self.sent.append(int(more["headers"]["Content-Length"]))
        with super().stream(method, path, **more) as answer:
            yield answer


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(root: Path) -> Iterator[RunningService]:
    config = service_config(root)
    with lasting_threads():
        running = running_service(config)
        service = running.__enter__()
    yield service
    running.__exit__(None, None, None)


@pytest.fixture
def client(service: RunningService, tmp_path: Path) -> Iterator[CountingClient]:
    name = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:16]
    client = CountingClient(f"{service.url}?storage_dir={name}", service.key)
    yield client
    client.close()


@pytest.fixture
def blobs(client: CountingClient) -> Iterator[HttpBlobs]:
    blobs = HttpBlobs(client)
    yield blobs
    blobs.close()


def test_nothing_is_sent_twice(blobs: HttpBlobs, client: CountingClient, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(LARGE)

    found = blobs.put_file(path)
    assert client.sent == [8 * MIB, 8 * MIB, 4 * MIB + 3]
    assert found == (
        hashlib.sha256(LARGE).hexdigest(),
        hashlib.md5(LARGE).hexdigest(),
        len(LARGE),
    )

    assert blobs.put(LARGE) == blobs.put(io.BytesIO(LARGE)) == found[::2]
    assert blobs.put_file(path) == found
    assert len(client.sent) == 3
    blobs.put(b"small"), blobs.put(b"small")
    assert client.sent[3:] == [5]


def test_many_small_payloads_go_and_are_claimed_with_few_requests(
    blobs: HttpBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / str(number) for number in range(600)]
    for path in paths:
        path.write_bytes(path.name.encode())
    requests: list[str] = []
    exchange, stream = ServiceClient._exchange, ServiceClient.stream

    def counted(call: Any) -> Any:
        def noted(self: ServiceClient, method: str, path: str, *more: Any, **named: Any) -> Any:
            requests.append(f"{method} {path.partition('/-/')[2]}")
            return call(self, method, path, *more, **named)

        return noted

    monkeypatch.setattr(ServiceClient, "_exchange", counted(exchange))
    monkeypatch.setattr(ServiceClient, "stream", counted(stream))

    found = blobs.put_all(paths)

    assert requests == [
        "POST payloads/claim", *["POST payloads"] * 5, "POST payloads/claim", "POST payloads",
    ]  # fmt: skip
    requests.clear()
    names = [one.sha256 for one in found]
    assert blobs.claim_all(names) == set(names)
    assert blobs.put_all(paths) == found
    assert requests == ["POST payloads/claim"] * 4


def test_who_was_stopped_half_way_sends_the_rest(
    blobs: HttpBlobs, client: CountingClient, tmp_path: Path
) -> None:
    client.fail_after = 2
    with pytest.raises(KeyboardInterrupt):
        blobs.put(LARGE)
    client.fail_after = None

    blobs.put(LARGE)

    assert client.sent == [8 * MIB, 8 * MIB, 4 * MIB + 3]
    copy = tmp_path / "copy"
    blobs.copy_to(hashlib.sha256(LARGE).hexdigest(), copy)
    assert copy.read_bytes() == LARGE


def test_a_hole_costs_no_sending_and_stays_one(
    blobs: HttpBlobs, client: CountingClient, tmp_path: Path
) -> None:
    path, copy = tmp_path / "sparse", tmp_path / "copy"
    with path.open("wb") as file:
        file.write(b"begin")
        file.seek(64 * MIB)
        file.write(b"end")

    blobs.copy_to(blobs.put_file(path).sha256, copy)

    assert sum(client.sent) == 8 * MIB + 3
    assert copy.stat().st_size == 64 * MIB + 3
    assert copy.stat().st_blocks * 512 < 2 * MIB
    with copy.open("rb") as file:
        assert file.read(6) == b"begin\0"
        file.seek(-4, os.SEEK_END)
        assert file.read() == b"\0end"


def test_small_payloads_come_with_one_request_and_ends_of_large_ones_with_two(
    blobs: HttpBlobs, client: CountingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = blobs.put(b"small")[0], blobs.put(LARGE)[0]
    requests: list[str] = []
    original = ServiceClient.stream

    def noted(self: ServiceClient, method: str, path: str, **more: Any) -> Any:
        requests.append(method)
        return original(self, method, path, **more)

    monkeypatch.setattr(ServiceClient, "stream", noted)
    with blobs.open(small) as file:
        assert file.read() == b"small"
    assert requests == ["GET"]

    requests.clear()
    with blobs.open(large) as file:
        file.seek(-100, os.SEEK_END)
        assert file.read() == LARGE[-100:]
        file.seek(5)
        assert file.read(10) == LARGE[5:15]
    assert requests == ["GET"] * 3


def test_a_payload_that_is_cut_off_on_its_way_is_asked_for_from_there_on(
    blobs: HttpBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256, _ = blobs.put(LARGE)
    original, asked = PayloadSource._from, list[int]()

    def cut_off(self: PayloadSource, sha256: str, start: int) -> Iterator[bytes]:
        asked.append(start)
        for number, piece in enumerate(original(self, sha256, start)):
            if len(asked) <= 3 and number == 3:
                raise SessionStoreError("the line is cut")
            yield piece

    monkeypatch.setattr(PayloadSource, "_from", cut_off)
    blobs.copy_to(sha256, tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == LARGE
    assert len(asked) == 4
    assert asked == sorted(set(asked))


def test_a_payload_that_was_damaged_at_rest_is_not_written_out(
    blobs: HttpBlobs, root: Path, tmp_path: Path
) -> None:
    payload = random.Random(9).randbytes(300_000)
    sha256, _ = blobs.put(payload)
    kept = [path for path in root.rglob(sha256) if path.is_file()]
    kept[-1].write_bytes(payload[:-1] + b"?")

    with pytest.raises(DamagedFileError, match=sha256):
        blobs.copy_to(sha256, tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


def test_a_file_that_is_written_while_it_is_sent_is_taken_as_it_is_at_last(
    blobs: HttpBlobs, client: CountingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    original = PayloadUpload.send
    contents = iter([b"1" * 10 * MIB, b"22"])

    def change_and_send(self: PayloadUpload, content: Content) -> None:
        if (changed := next(contents, None)) is not None:
            path.write_bytes(changed)
        original(self, content)

    monkeypatch.setattr(PayloadUpload, "send", change_and_send)

    assert blobs.put_file(path).sha256 == hashlib.sha256(b"22").hexdigest()
    with pytest.raises(FileNotFoundError):
        blobs.put_file(tmp_path / "missing")
    path.write_bytes(b"another")
    endless = iter(range(10**9))
    monkeypatch.setattr(
        PayloadUpload, "send", lambda *_: path.write_bytes(b"%d" % next(endless)) and None
    )
    with pytest.raises(SchemaValidationError, match="3 times in a row"):
        blobs.put_file(path)


def test_a_service_that_is_busy_is_asked_again_and_a_refusal_is_final(
    client: CountingClient,
) -> None:
    def answers(*errors: Exception) -> tuple[list[int], Any]:
        calls: list[int] = []
        left = iter(errors)

        def request() -> str:
            calls.append(1)
            error = next(left, None)
            if error is not None:
                raise error
            return "done"

        return calls, request

    busy = SessionStoreError("busy")
    busy.retry_after_seconds = 0.01
    calls, request = answers(busy, SessionStoreError("unreachable"))
    assert repeated(client, 10, request) == "done"
    assert len(calls) == 3

    for final in (RecordRejectedError("no"), AuthenticationError("no"), ValueError("no")):
        calls, request = answers(final)
        with pytest.raises(type(final)):
            repeated(client, 10, request)
        assert len(calls) == 1

    late = SessionStoreError("busy")
    late.retry_after_seconds = 60
    calls, request = answers(late)
    with pytest.raises(SessionStoreError, match="busy"):
        repeated(client, 10, request)
    assert len(calls) == 1, "there is no time left for what it asks"

    client.close()
    calls, request = answers(*[SessionStoreError("gone")] * 5)
    with pytest.raises(SessionStoreError, match="closed"):
        repeated(client, 10, request)
    assert len(calls) == 1
