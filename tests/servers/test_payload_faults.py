"""Large payloads through real processes that are killed: what was sent is not sent again, and the
memory of both sides does not grow with the payload."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from quark.persistence.http_blobs import HttpBlobs
from quark.persistence.service_client import ServiceClient
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from tests.support.identity import first_key
from tests.support.processes import ServiceProcess, wait_until
from tests.support.servers.moto import moto
from tests.support.servers.object_store import VARIABLES
from tests.support.servers.rclone import rclone

MIB = 1 << 20
SIZE_BYTES = 200 * MIB + 12_345
PART_BYTES = 8 * MIB
PARTS = 26
#: What a process may take beyond what it had: some parts, but nothing like the payload.
MOST_GROWTH_BYTES = 64 * MIB


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("payload") / "weights"
    numbers = random.Random(11)
    with path.open("wb") as file:
        left = SIZE_BYTES
        while left:
            left -= file.write(numbers.randbytes(min(left, MIB)))
    return path


@pytest.fixture(params=["folder", "moto", "rclone"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceProcess]:
    arguments: tuple[str, ...] = ()
    if request.param != "folder":
        server = moto() if request.param == "moto" else rclone()
        arguments = ("--blobs", server.url(f"service-{tmp_path.name}"))
    service = ServiceProcess(tmp_path / "root", *arguments, environment=VARIABLES)
    app = create_app(ServiceConfig(root=service.root))
    service.key = first_key(app)
    app.state.service.close()
    with service:
        yield service


class NotingClient(ServiceClient):
    """Notes which parts are sent, here or past the service."""

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(service.url, service.key, timeout_seconds=60)
        self.parts: set[str] = set()

    @contextmanager
    def stream(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        if "/parts/" in path:
            self.parts.add(path.split("/parts/")[1].partition("/")[0])
        with super().stream(method, path, **more) as answer:
            yield answer

    def get(self, path: str, query: Any = None) -> Any:
        if "/parts/" in path:
            self.parts.add(path.split("/parts/")[1].partition("/")[0])
        return super().get(path, query)


def parts_there(service: ServiceProcess, payload: Path, sha256: str) -> int:
    """How many parts the service has of an upload by the same user."""
    with client_of(service) as client:
        wanted = {"sha256": sha256, "size_bytes": payload.stat().st_size}
        found = client.post(client.path("uploads"), wanted)
    return PARTS if found["is_here"] else len(found["parts"])


@contextmanager
def client_of(service: ServiceProcess) -> Iterator[ServiceClient]:
    client = ServiceClient(service.url, service.key)
    yield client
    client.close()


def child(action: str, service: ServiceProcess, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.servers.payload_children", action, service.url]
    assert service.key is not None
    return subprocess.Popen([*command, service.key, str(path)], stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[str, int]:
    """What a child says at its end: a digest, and by how much its memory grew at most."""
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    sha256, grown = said.split()
    return sha256, int(grown)


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_a_sender_that_was_killed_half_way_is_followed_by_one_that_sends_the_rest(
    service: ServiceProcess, payload: Path
) -> None:
    sha256 = digest_of(payload)
    sender = child("put_file", service, payload)
    wait_until(lambda: parts_there(service, payload, sha256) >= 8, what="parts came")
    sender.kill()
    sender.communicate()
    before = parts_there(service, payload, sha256)
    assert 8 <= before < PARTS, "it was killed half-way"

    client = NotingClient(service)
    blobs = HttpBlobs(client)
    found = blobs.put_file(payload)

    assert found.sha256 == sha256
    assert PARTS - before - 1 <= len(client.parts) <= PARTS - before, "one may just have come"
    blobs.copy_to(sha256, payload.with_name("again"))
    assert digest_of(payload.with_name("again")) == sha256
    blobs.close()
    client.close()


def test_a_service_that_is_killed_twice_during_an_upload_and_once_after_has_it_whole(
    service: ServiceProcess, payload: Path
) -> None:
    sha256 = digest_of(payload)
    sender = child("put_file", service, payload)
    for count in (5, 14):
        while parts_there(service, payload, sha256) < count:
            assert sender.poll() is None
        service.kill()
        service.start()
    assert ended(sender)[0] == sha256
    service.kill()
    service.start()

    with client_of(service) as client:
        blobs = HttpBlobs(client)
        assert list(blobs.digests()) == [sha256]
        blobs.copy_to(sha256, payload.with_name("again"))
        blobs.close()
    assert digest_of(payload.with_name("again")) == sha256


def test_memory_does_not_grow_with_the_payload(service: ServiceProcess, payload: Path) -> None:
    with client_of(service) as client:
        blobs = HttpBlobs(client)
        blobs.put(random.Random(1).randbytes(20 * MIB))  # whatever is loaded for the first one
        blobs.close()
    began = service.rss_bytes
    process = psutil.Process(service.pid)
    for action in ("put_stream", "get"):
        sha256, grown = ended(child(action, service, payload))
        peak = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0])

        assert sha256 == digest_of(payload)
        assert grown < MOST_GROWTH_BYTES
        assert peak * 1024 - began < MOST_GROWTH_BYTES
        print(f"{action}: sender +{grown / MIB:.0f} MiB, service +{peak / 1024 - began / MIB:.0f}")
    assert digest_of(Path(f"{payload}.copy")) == sha256
