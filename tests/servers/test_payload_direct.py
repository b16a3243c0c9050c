"""Payloads past the service, straight to the object store: used where it works, never trusted."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from quark.errors import SchemaValidationError
from quark.persistence.http_blobs import HttpBlobs
from quark.persistence.service_client import ServiceClient
from tests.support.servers.moto import moto
from tests.support.servers.object_store import VARIABLES, ObjectStoreServer
from tests.support.servers.rclone import rclone
from tests.support.service import RunningService, running_service, service_config

MIB = 1 << 20
PAYLOAD = random.Random(8).randbytes(20 * MIB)
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


class NotingClient(ServiceClient):
    """Notes how many bytes of payloads go through the service."""

    sent_bytes = received_bytes = 0

    @contextmanager
    def stream(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        if method == "PUT":
            self.sent_bytes += int(more["headers"]["Content-Length"])
        with super().stream(method, path, **more) as answer:
            self.received_bytes += int(answer.headers.get("Content-Length", 0))
            yield answer


@pytest.fixture(params=[moto, rclone])
def service(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningService]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    start: Callable[[], ObjectStoreServer] = request.param
    url = start().url(f"direct-{tmp_path.name}")
    with running_service(service_config(tmp_path / "root", blobs_url=url)) as service:
        yield service


@pytest.fixture
def client(service: RunningService) -> Iterator[NotingClient]:
    client = NotingClient(service.url, service.key)
    yield client
    client.close()


def test_a_large_payload_goes_and_comes_past_the_service(
    client: NotingClient, tmp_path: Path
) -> None:
    blobs = HttpBlobs(client)

    blobs.put(PAYLOAD)
    assert client.sent_bytes == 0
    blobs.copy_to(SHA256, tmp_path / "copy")

    assert client.received_bytes < MIB
    assert (tmp_path / "copy").read_bytes() == PAYLOAD
    blobs.put(b"small")
    assert client.sent_bytes == 5
    blobs.close()


def test_where_the_object_store_cannot_be_reached_all_goes_through_the_service(
    client: NotingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    original = ServiceClient.get

    def elsewhere(self: ServiceClient, path: str, query: Any = None) -> Any:
        answer = original(self, path, query)
        if path.endswith("/location"):
            asked.append(path)
            return {"url": "http://127.0.0.1:9/nobody-listens"}
        return answer

    monkeypatch.setattr(ServiceClient, "get", elsewhere)
    blobs = HttpBlobs(client)

    blobs.put(PAYLOAD)
    blobs.copy_to(SHA256, tmp_path / "copy")

    assert client.sent_bytes == len(PAYLOAD)
    assert len(asked) == 3, "after three failures this way is left alone"
    assert (tmp_path / "copy").read_bytes() == PAYLOAD
    blobs.close()


def test_what_is_sent_past_the_service_is_not_believed(
    client: NotingClient, service: RunningService
) -> None:
    wanted = {"sha256": SHA256, "size_bytes": len(PAYLOAD)}
    upload = client.post(client.path("uploads"), wanted)
    assert upload["direct"] is True
    path = client.path("uploads", upload["upload_id"])
    part_bytes = upload["part_bytes"]

    def send(number: int, content: bytes) -> None:
        url = client.get(f"{path}/parts/{number}/location")["url"]
        assert service.key is not None
        assert service.key not in url
        assert VARIABLES["AWS_SECRET_ACCESS_KEY"] not in url
        httpx.put(url, content=content, timeout=60).raise_for_status()

    for number in range(3):
        send(number, PAYLOAD[number * part_bytes : (number + 1) * part_bytes])
    send(1, b"too short")
    assert client.get(path)["parts"] == [0, 2]
    send(1, bytes(part_bytes))
    assert client.get(path)["parts"] == [0, 1, 2]
    with pytest.raises(SchemaValidationError, match="came as"):
        client.post(f"{path}/complete", {})

    blobs = HttpBlobs(client)
    assert not blobs.exists(SHA256)
    assert list(blobs.digests()) == []
    assert client.post(client.path("uploads"), wanted)["parts"] == []
    blobs.put(PAYLOAD)
    assert blobs.exists(SHA256)
    blobs.close()
