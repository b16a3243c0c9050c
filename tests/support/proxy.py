"""A network that fails on demand: a TCP proxy on this machine, steered by the test.

>>> with Proxy(service.port) as proxy:
...     client = ServiceClient(proxy.url, key)
...     proxy.link = Link(cut_after_response_bytes=0, cuts=1)  # the next answer is lost
...     proxy.link = Link(forwards_requests=False, forwards_responses=False)  # half-open
...     proxy.link = Link(accepts=False); proxy.cut()  # the service is gone
...     proxy.link = Link()  # all is well again

A new link holds for the connections that there are, too. What is held back is delivered when a
later link lets it through, as after a cable is put back in; :meth:`Proxy.cut` loses it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Self, TypeVar

Ending = Literal["rst", "fin"]

_PIECE_BYTES = 64 * 1024
_STEPS_PER_SECOND = 20
_CONTROL_SECONDS = 90.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How the way to the service is. The default is perfect.

    ``cut_after_*_bytes`` counts what passes on each connection since this link was set, and cuts
    the connection there: after 0 bytes of an answer the request was carried out and its answer is
    lost. ``cuts`` is how often; None is every time.
    """

    accepts: bool = True  # False: connections are refused; those that there are stay
    forwards_requests: bool = True
    forwards_responses: bool = True
    latency_seconds: float = 0.0  # of each piece, each way
    jitter_seconds: float = 0.0  # 0 to so many more
    bytes_per_second: float | None = None  # each way, on each connection
    cut_after_request_bytes: int | None = None
    cut_after_response_bytes: int | None = None
    cut_by: Ending = "rst"
    cuts: int | None = None


@dataclass(slots=True)
class Traffic:
    """What came by since the proxy was made."""

    connections: int = 0
    cut: int = 0
    request_bytes: int = 0
    response_bytes: int = 0


@dataclass(eq=False, slots=True)
class _Connection:
    """Two sockets, and what passed since ``link`` was set."""

    client: asyncio.StreamWriter
    service: asyncio.StreamWriter | None = None
    link: Link | None = None
    passed_bytes: dict[str, int] = field(default_factory=dict)


class Proxy:
    """Forwards a port of this machine to another one. Owns its thread and its sockets.

    Everything that is random comes from ``seed``.
    """

    def __init__(self, port: int, *, host: str = "127.0.0.1", seed: int = 0) -> None:
        self._service = (host, port)
        self._random = random.Random(seed)
        self._link = Link()
        self._cuts_left: int | None = None
        self._connections: set[_Connection] = set()
        self._traffic = Traffic()
        self._passed = threading.Condition()
        # Bound and never listening, it keeps the port ours while connections are refused.
        self._holder = _socket(0)
        self.port: int = self._holder.getsockname()[1]
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._call(self._set_link(Link()))

    @property
    def url(self) -> str:
        """Where clients find the service by way of this proxy."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> Link:
        """How the way is now. Setting it takes effect before the assignment returns."""
        return self._link

    @link.setter
    def link(self, link: Link) -> None:
        self._call(self._set_link(link))

    @contextlib.contextmanager
    def during(self, link: Link) -> Iterator[None]:
        """Have ``link`` in a block, and what was before after it."""
        before = self._link
        self.link = link
        try:
            yield
        finally:
            self.link = before

    def cut(self, by: Ending = "rst") -> int:
        """End all connections now; return how many those were."""
        return self._call(self._cut_all(by))

    def lead_to(self, port: int) -> None:
        """Have new connections go to another port of the same machine: the service moved."""
        self._service = (self._service[0], port)

    @property
    def traffic(self) -> Traffic:
        """What came by so far."""
        with self._passed:
            seen = self._traffic
            return Traffic(seen.connections, seen.cut, seen.request_bytes, seen.response_bytes)

    def wait_for(self, condition: Callable[[Traffic], bool], *, seconds: float = 120.0) -> None:
        """Wait until what came by fulfils a condition; fail after so long."""
        with self._passed:
            done = self._passed.wait_for(lambda: condition(self._traffic), seconds)
        assert done, f"not so within {seconds:g} s: {self.traffic}"

    def close(self) -> None:
        """Cut everything and stop. A second call does nothing."""
        if self._loop.is_closed():
            return
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CONTROL_SECONDS)
        self._loop.close()
        self._holder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- on the proxy's thread -----------------------------------------------------------------

    def _call(self, work: Awaitable[T]) -> T:
        async def run() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_CONTROL_SECONDS)

    async def _set_link(self, link: Link) -> None:
        self._link = link
        self._cuts_left = link.cuts
        self._changed.set()
        self._changed = asyncio.Event()
        if link.accepts and self._listener is None:
            listener = _socket(self.port)
            self._listener = await asyncio.start_server(self._serve, sock=listener, backlog=4096)
        elif not link.accepts and self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _cut_all(self, by: Ending) -> int:
        open_now = list(self._connections)
        for connection in open_now:
            self._end(connection, by)
        return len(open_now)

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._cut_all("rst")
        own = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not own]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)  # let the transports close their sockets

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer)
        self._connections.add(connection)
        self._count(connections=1)
        try:
            await self._hold("request")
            if connection not in self._connections:
                return
            try:
                back, connection.service = await asyncio.open_connection(*self._service)
            except OSError:
                self._end(connection, "rst")
                return
            if connection not in self._connections:  # cut while the other side was opened
                connection.service.transport.abort()
                return
            ways = (
                self._pump(connection, "request", reader, connection.service),
                self._pump(connection, "response", back, writer),
            )
            await asyncio.gather(*ways, return_exceptions=True)
        except asyncio.CancelledError:
            pass  # the proxy is closing; who started this task would log it as a fault
        finally:
            self._end(connection, "fin")

    async def _pump(
        self,
        connection: _Connection,
        way: Literal["request", "response"],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            while piece := await reader.read(_PIECE_BYTES):
                while piece:
                    rate = self._link.bytes_per_second
                    most = len(piece) if rate is None else max(1, int(rate / _STEPS_PER_SECOND))
                    if not await self._forward(connection, way, piece[:most], writer):
                        return
                    piece = piece[most:]
            await self._hold(way)
            writer.write_eof()
        except OSError:
            self._end(connection, "rst")

    async def _forward(
        self,
        connection: _Connection,
        way: Literal["request", "response"],
        piece: bytes,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Let a piece through as the link is; say whether the connection is still there."""
        await self._hold(way)
        link = self._link
        if link.latency_seconds or link.jitter_seconds:
            await asyncio.sleep(link.latency_seconds + link.jitter_seconds * self._random.random())
        if link.bytes_per_second is not None:
            await asyncio.sleep(len(piece) / link.bytes_per_second)
        if connection not in self._connections:
            return False
        through = self._before_the_cut(connection, way, piece)
        if through:
            self._count(**{f"{way}_bytes": len(through)})
            writer.write(through)
            await writer.drain()
        if len(through) == len(piece):
            return True
        if link.cut_by == "rst":
            await asyncio.sleep(0.01)  # what was let through arrives before the reset does
        self._count(cut=1)
        self._end(connection, link.cut_by)
        return False

    async def _hold(self, way: str) -> None:
        while not getattr(self._link, f"forwards_{way}s"):
            await self._changed.wait()

    def _before_the_cut(self, connection: _Connection, way: str, piece: bytes) -> bytes:
        """Return what of a piece gets through before the connection is cut, if it is."""
        link = self._link
        if connection.link is not link:
            connection.link, connection.passed_bytes = link, {}
        passed = connection.passed_bytes.get(way, 0)
        connection.passed_bytes[way] = passed + len(piece)
        limit: int | None = getattr(link, f"cut_after_{way}_bytes")
        if limit is None or passed + len(piece) <= limit or self._cuts_left == 0:
            return piece
        if self._cuts_left is not None:
            self._cuts_left -= 1
        return piece[: max(0, limit - passed)]

    def _end(self, connection: _Connection, by: Ending) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        for writer in (connection.client, connection.service):
            if writer is None:
                continue
            if by == "rst":
                abandoned = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    abandoned.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                writer.transport.abort()
            else:
                writer.close()

    def _count(self, **more: int) -> None:
        with self._passed:
            for name, number in more.items():
                setattr(self._traffic, name, getattr(self._traffic, name) + number)
            self._passed.notify_all()


def _socket(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    return bound
