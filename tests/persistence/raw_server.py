"""A server that answers with exactly the bytes that a test gives it, as no Quark service would."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class RawServer:
    """Where it listens, and the heads of the requests that came."""

    url: str
    requests: list[bytes] = field(default_factory=list)


def answer(
    status: str, body: bytes = b"", content_type: str = "text/html", more: str = ""
) -> bytes:
    """Return a whole answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


@contextlib.contextmanager
def raw_server(
    reply: Callable[[int, socket.socket], None] | bytes, host: str = "127.0.0.1"
) -> Iterator[RawServer]:
    """Serve until the block ends. ``reply`` is what every request is answered with, or is called
    with the number of the request and the connection."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    named = f"[{host}]" if ":" in host else host
    server = RawServer(f"http://{named}:{listener.getsockname()[1]}")
    open_connections: list[socket.socket] = []

    def handle(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while head := _read_request(connection):
                server.requests.append(head)
                if isinstance(reply, bytes):
                    connection.sendall(reply)
                else:
                    reply(len(server.requests), connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_connections.append(connection)
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _read_request(connection: socket.socket) -> bytes:
    """Return the head of the next request, having read its body too; empty at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    size = next(
        (
            int(line[15:])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ),
        0,
    )
    while len(body) < size:
        body += connection.recv(65536)
    return head
