"""A client that never finishes costs a service nothing: real connections to a real service."""

from __future__ import annotations

import collections
import contextlib
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from quark.service.limits import GuardLimits
from tests.support.service import RunningService, running_service, service_config

PATIENCE_SECONDS = 90.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = service_config(
        tmp_path_factory.mktemp("service"),
        body_timeout_seconds=0.5,
        guards=GuardLimits(header_timeout_seconds=0.5, max_header_bytes=8192),
    )
    with running_service(config) as service:
        yield service


@contextlib.contextmanager
def connection(service: RunningService) -> Iterator[socket.socket]:
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port), timeout=PATIENCE_SECONDS) as line:
        yield line


def answer(line: socket.socket) -> bytes:
    """Everything until the other side closes; that it does not is a TimeoutError."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := line.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"", id="says nothing"),
        pytest.param(b"GET /api/v1/me HTT", id="stops in the first line"),
        pytest.param(b"GET /api/v1/me HTTP/1.1\r\nHost: a\r\nX-A: b", id="stops in a header"),
    ],
)
def test_headers_that_do_not_come_are_not_waited_for(
    service: RunningService, beginning: bytes
) -> None:
    with connection(service) as line:
        line.sendall(beginning)

        assert answer(line) == b""


def test_a_second_request_on_a_connection_has_to_come_as_well(service: RunningService) -> None:
    request = f"GET /api/v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {service.key}\r\n\r\n"
    with connection(service) as line:
        line.sendall(request.encode() + b"GET /api")

        answered = answer(line)

    assert answered.startswith(b"HTTP/1.1 200 OK")
    assert answered.count(b"HTTP/1.1") == 1
    assert b"uvicorn" not in answered


def test_headers_without_an_end_are_not_kept(service: RunningService) -> None:
    with connection(service) as line:
        line.sendall(b"GET / HTTP/1.1\r\nX-A: ")
        sent = 0
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            while sent < 100_000_000:
                line.sendall(b"a" * 65536)
                sent += 65536

        assert answer(line) == b""
    assert sent < 50_000_000


def test_a_body_that_does_not_come_is_not_waited_for(service: RunningService) -> None:
    for declared in (b"Content-Length: 100000", b"Transfer-Encoding: chunked"):
        with connection(service) as line:
            line.sendall(
                b"POST /api/v1/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + f"Authorization: Bearer {service.key}\r\n".encode()
                + declared
                + b"\r\n\r\n"
            )
            answered = answer(line)

        assert answered.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answered.lower()


def test_who_does_not_read_the_answers_is_hung_up_on(service: RunningService) -> None:
    url = httpx.URL(service.url)
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        line.settimeout(PATIENCE_SECONDS)
        line.connect((url.host, url.port))

        questions = itertools.repeat(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
        with pytest.raises(ConnectionError):
            collections.deque(map(line.sendall, questions), maxlen=0)


def test_without_a_key_no_body_is_waited_for(service: RunningService) -> None:
    with connection(service) as line:
        line.sendall(b"POST /api/v1/users HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")

        assert line.recv(12) == b"HTTP/1.1 401"


def test_what_is_no_http_gets_no_traceback(service: RunningService) -> None:
    for nonsense in (
        b"\x16\x03\x01\x02\x00" * 20,
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 100 + b"x y",
    ):
        with connection(service) as line:
            line.sendall(nonsense)
            answered = answer(line)
        assert b"Traceback" not in answered
        assert answered[:12] in (b"HTTP/1.1 400", b"")


def test_two_lengths_are_no_way_to_smuggle_a_request(service: RunningService) -> None:
    smuggled = b"GET /api/v1/me HTTP/1.1\r\nHost: a\r\n\r\n"
    with connection(service) as line:
        line.sendall(
            b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(smuggled)
            + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            + smuggled
        )

        assert answer(line).count(b"HTTP/1.1") <= 1


def test_after_all_of_that_the_service_answers(service: RunningService, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(connection(service)) for _ in range(200)]
        for line in lines:
            line.sendall(b"GET /api/v1/me HTTP/1.1\r\nX-")

        headers = {"Authorization": f"Bearer {service.key}"}
        found = httpx.get(f"{service.url}/api/v1/me", headers=headers, timeout=PATIENCE_SECONDS)

        assert found.status_code == 200
        assert [answer(line) for line in lines] == [b""] * 200
