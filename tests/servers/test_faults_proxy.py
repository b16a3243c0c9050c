"""The tests' own network: it does what its link says, and nothing else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.proxy import Link, Proxy


class Echo:
    """Answers every line with the same line, and remembers what came. Owns its threads."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(
                    target=self._answer, args=(self._listener.accept()[0],), daemon=True
                ).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rwb") as file:
            for line in file:
                self.lines.append(line)
                file.write(line)
                file.flush()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.port, seed=1) as proxy:
        yield proxy


@contextlib.contextmanager
def connected(proxy: Proxy, *, seconds: float = 60) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), seconds) as connection:
        yield connection


def said(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return received(connection, len(line))


def received(connection: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            break
        parts += part
    return parts


def test_a_perfect_link_forwards_everything_and_both_ends_of_the_end(
    proxy: Proxy, echo: Echo
) -> None:
    long = b"x" * 1_000_000 + b"\n"

    with connected(proxy) as connection:
        sender = threading.Thread(target=connection.sendall, args=(long,))
        sender.start()
        assert received(connection, len(long)) == long
        sender.join()
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""

    assert proxy.traffic.request_bytes == proxy.traffic.response_bytes == len(long)
    assert (proxy.traffic.connections, proxy.traffic.cut) == (1, 0)


def test_connections_are_refused_and_accepted_again_on_the_same_port(proxy: Proxy) -> None:
    with connected(proxy) as old:
        assert said(old, b"a\n") == b"a\n"
        with proxy.during(Link(accepts=False)):
            with pytest.raises(ConnectionRefusedError), connected(proxy):
                pass
            assert said(old, b"b\n") == b"b\n", "an open connection stays"
            assert proxy.cut() == 1
            with pytest.raises(ConnectionResetError):
                old.recv(1)

    with connected(proxy) as new:
        assert said(new, b"c\n") == b"c\n"


def test_a_cut_is_a_reset_or_an_orderly_end(proxy: Proxy) -> None:
    with connected(proxy) as connection:
        said(connection, b"a\n")
        proxy.cut("fin")
        assert connection.recv(1) == b""

    with connected(proxy) as connection:
        said(connection, b"a\n")
        proxy.cut("rst")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_what_is_held_back_arrives_when_the_link_is_whole_again(proxy: Proxy, echo: Echo) -> None:
    with connected(proxy, seconds=0.2) as connection:
        proxy.link = Link(forwards_requests=False, forwards_responses=False)
        connection.sendall(b"a\n")
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert echo.lines == []

        proxy.link = Link(forwards_responses=False)
        proxy.wait_for(lambda seen: seen.request_bytes == 2)
        with pytest.raises(TimeoutError):
            connection.recv(1)

        proxy.link = Link()
        connection.settimeout(10)
        assert (received(connection, 2), echo.lines) == (b"a\n", [b"a\n"])


def test_an_answer_is_lost_after_the_request_was_delivered_so_often_as_is_said(
    proxy: Proxy, echo: Echo
) -> None:
    proxy.link = Link(cut_after_response_bytes=0, cuts=2)

    for line in (b"1\n", b"2\n"):
        with connected(proxy) as connection, pytest.raises(ConnectionResetError):
            said(connection, line)
    with connected(proxy) as connection:
        assert said(connection, b"3\n") == b"3\n"

    assert echo.lines == [b"1\n", b"2\n", b"3\n"]
    assert proxy.traffic.cut == 2


def test_a_connection_is_cut_in_the_middle_of_a_request_or_an_answer(
    proxy: Proxy, echo: Echo
) -> None:
    with connected(proxy) as connection:
        assert said(connection, b"whole\n") == b"whole\n"
        proxy.link = Link(cut_after_response_bytes=3, cut_by="fin", cuts=1)
        assert said(connection, b"half of it\n") == b"hal"

    proxy.link = Link(cut_after_request_bytes=3, cut_by="fin", cuts=1)
    with connected(proxy) as connection:
        assert said(connection, b"never\n") == b""
    assert echo.lines[:2] == [b"whole\n", b"half of it\n"]
    assert proxy.traffic.request_bytes == len(b"whole\nhalf of it\nnev")


def test_a_slow_link_takes_its_time_and_loses_nothing(proxy: Proxy) -> None:
    line = b"x" * 1_999 + b"\n"
    with connected(proxy) as connection:
        began = time.monotonic()
        with proxy.during(Link(latency_seconds=0.05, jitter_seconds=0.01)):
            assert said(connection, b"a\n") == b"a\n"
        assert time.monotonic() - began >= 0.1  # there and back
        began = time.monotonic()
        with proxy.during(Link(bytes_per_second=10_000)):
            assert said(connection, line) == line
        assert time.monotonic() - began >= 0.19


def test_new_connections_go_where_the_service_moved(proxy: Proxy) -> None:
    other = Echo()
    proxy.lead_to(other.port)
    with connected(proxy) as connection:
        said(connection, b"moved\n")
    assert other.lines == [b"moved\n"]
    other.close()

    with connected(proxy) as connection, pytest.raises(ConnectionResetError):
        said(connection, b"nobody is there\n")
