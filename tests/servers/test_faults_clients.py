"""Clients that misbehave, by mistake or not: the others hardly notice, and memory stays flat."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.servers.loads import HealthyClient
from tests.support.processes import ServiceProcess, ask, wait_until

pytestmark = pytest.mark.timeout(900)  # processes start slowly on a busy machine

MIB = 1024 * 1024


class Crowd:
    """Connections that one thread keeps busy, or idle. Owns them and its thread."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self.connections: list[socket.socket] = []
        self.closed_by_service = 0
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None
        for _ in range(count):
            self.connections.append(self.connect())

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), 60)
        connection.setblocking(False)
        return connection

    def say(self, piece: Callable[[int], bytes], *, every_seconds: float) -> None:
        """Send on each connection the nth piece, again and again, until told to leave.

        What the service closed is opened anew: these clients do not learn.
        """

        def run() -> None:
            turns = [0] * len(self.connections)
            while not self._leaving.wait(every_seconds):
                for place, connection in enumerate(self.connections):
                    try:
                        while connection.recv(65_536):
                            pass
                        ended = True
                    except BlockingIOError:
                        ended = False
                    except OSError:
                        ended = True
                    try:
                        if not ended:
                            connection.send(piece(turns[place]))
                            turns[place] += 1
                            continue
                    except BlockingIOError:
                        continue
                    except OSError:
                        pass
                    connection.close()
                    self.closed_by_service += 1
                    turns[place] = 0
                    with contextlib.suppress(OSError):
                        self.connections[place] = self.connect()

        self._thread = threading.Thread(target=run, name="crowd", daemon=True)
        self._thread.start()

    def is_gone(self) -> bool:
        """Say whether the service has closed all of the connections."""
        for connection in self.connections:
            try:
                while connection.recv(65_536):
                    pass
            except BlockingIOError:
                return False
            except OSError:
                pass
        return True

    def close(self) -> None:
        self._leaving.set()
        if self._thread is not None:
            self._thread.join(60)
        for connection in self.connections:
            connection.close()


def posting(service: ServiceProcess, size_bytes: int, *more: str) -> bytes:
    """Return the head of a request that would store something."""
    lines = (
        "POST /api/v1/workspaces/-/runs/run-1/batches HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        f"Authorization: Bearer {service.key}",
        "Content-Type: application/vnd.quark.batch",
        f"Content-Length: {size_bytes}",
        *more,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


Attack = Callable[[ServiceProcess], tuple[int, Callable[[int], bytes] | None, float]]


def slow_headers(service: ServiceProcess) -> tuple[int, Callable[[int], bytes], float]:
    head = b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\n"
    return 150, lambda turn: head if turn == 0 else b"X-More: 1\r\n", 0.5


def trickling_body(service: ServiceProcess) -> tuple[int, Callable[[int], bytes], float]:
    head = posting(service, MIB)
    return 100, lambda turn: head if turn == 0 else b"x", 0.2


def idle(service: ServiceProcess) -> tuple[int, None, float]:
    return 3_000, None, 0.0


def half_a_request(service: ServiceProcess) -> tuple[int, Callable[[int], bytes], float]:
    head = posting(service, 10 * MIB) + b"x" * 100_000
    return 100, lambda turn: head if turn == 0 else b"", 1.0


def garbage(service: ServiceProcess) -> tuple[int, Callable[[int], bytes], float]:
    chance = random.Random(5)
    return 20, lambda turn: chance.randbytes(4_000), 0.05


def gigantic_headers(service: ServiceProcess) -> tuple[int, Callable[[int], bytes], float]:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Huge: "
    return 20, lambda turn: head if turn == 0 else b"a" * 65_536, 0.02


def many_headers(service: ServiceProcess) -> tuple[int, Callable[[int], bytes], float]:
    lines = b"".join(b"X-%d: 1\r\n" % number for number in range(2_000))
    return 20, lambda turn: b"GET / HTTP/1.1\r\nHost: x\r\n" + lines, 0.05


def pipelined(service: ServiceProcess) -> tuple[int, Callable[[int], bytes], float]:
    """Asks for more than it ever reads, and then talks nonsense."""
    one = f"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n\r\n"
    return 10, lambda turn: one.encode() * 20 if turn % 5 else b"NONSENSE\r\n\r\n" * 20, 0.2


def lying_length(service: ServiceProcess) -> tuple[int, Callable[[int], bytes], float]:
    head = posting(service, 1 << 60)
    return 50, lambda turn: head if turn == 0 else b"y" * 100, 0.2


def endless_chunks(service: ServiceProcess) -> tuple[int, Callable[[int], bytes], float]:
    head = posting(service, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    return 4, lambda turn: head if turn == 0 else b"%x\r\n%s\r\n" % (65_536, b"z" * 65_536), 0.02


ATTACKS: tuple[Attack, ...] = (
    slow_headers,
    trickling_body,
    idle,
    half_a_request,
    garbage,
    gigantic_headers,
    many_headers,
    pipelined,
    lying_length,
    endless_chunks,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    root = tmp_path_factory.mktemp("clients") / "service"
    paths = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    with ServiceProcess(root, environment={"PYTHONPATH": paths}) as service:
        yield service


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_healthy_clients_hardly_notice_the_others(service: ServiceProcess, attack: Attack) -> None:
    count, piece, every_seconds = attack(service)
    with HealthyClient(service) as healthy:
        healthy.work(1)  # what is made at the first request is made
        before = healthy.work(1.5)
        gc.collect()
        rss_before = service.rss_bytes
        crowd = Crowd(service.port, count)
        try:
            if piece is not None:
                crowd.say(piece, every_seconds=every_seconds)
            during = healthy.work(3)
            rss_during = service.rss_bytes
        finally:
            crowd.close()
        after = healthy.work(0.5)

    before_p99, during_p99 = np.quantile(before, 0.99), np.quantile(during, 0.99)
    print(
        f"{attack.__name__}: {count} connections, {crowd.closed_by_service} closed by the service; "
        f"an append of 1,000 points p50/p99 {np.median(before) * 1e3:.1f}/{before_p99 * 1e3:.1f} ms"
        f" before, {np.median(during) * 1e3:.1f}/{during_p99 * 1e3:.1f} ms during; RSS "
        f"{rss_before / MIB:.0f} -> {rss_during / MIB:.0f} -> {service.rss_bytes / MIB:.0f} MiB"
    )
    assert len(after) > 0
    assert np.median(during) < 2.0
    assert rss_during - rss_before < 128 * MIB


def test_who_never_ends_a_request_is_sent_away_and_a_new_one_is_let_in(
    service: ServiceProcess,
) -> None:
    crowds = [Crowd(service.port, 20) for _ in range(2)]
    for connection in crowds[0].connections:
        connection.send(b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\n")  # and no end of the headers
    for connection in crowds[1].connections:
        connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # somebody tries TLS
    began = time.monotonic()
    for crowd in crowds:
        wait_until(crowd.is_gone, what="sent away")
    print(f"sent away after {time.monotonic() - began:.1f} s")
    for crowd in crowds:
        crowd.close()

    assert ask(service.port, "/api/v1/me", key=service.key)[0] == 200


def test_bodies_that_are_not_whole_yet_have_a_limit_together(service: ServiceProcess) -> None:
    """A key that may write must not be enough to take all memory of the machine."""
    before = service.rss_bytes
    senders: list[threading.Thread] = []
    connections = []
    for _ in range(24):
        connection = socket.create_connection(("127.0.0.1", service.port), 60)
        connections.append(connection)
        senders.append(threading.Thread(target=_send_most, args=(service, connection)))
        senders[-1].start()
    for sender in senders:
        sender.join(60)
    rss_bytes = service.rss_bytes - before
    for connection in connections:
        connection.close()
    wait_until(lambda: ask(service.port, "/healthz")[0] == 200)

    print(f"24 times 30 MiB of 31 MiB: {rss_bytes / MIB:.0f} MiB more")
    assert rss_bytes < 400 * MIB


def _send_most(service: ServiceProcess, connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # refused: as it should be
        connection.sendall(posting(service, 31 * MIB))
        for _ in range(30):
            connection.sendall(b"x" * MIB)


def test_what_they_did_left_no_secret_and_no_traceback_in_the_log(service: ServiceProcess) -> None:
    said = service.said()

    assert "Traceback" not in said, said[said.index("Traceback") - 500 :][:3000]
    assert service.key is not None
    assert service.key not in said
    assert "NONSENSE" not in said
