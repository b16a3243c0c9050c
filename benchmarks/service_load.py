"""The load of many runs on a service: a lean client, so that the figures are the service's own.

Every run has a connection and sends its next batch when the last one was answered, or, with a
rate, at its time; then latency counts from when a batch was due, so that a service that stalls
cannot hide what it kept waiting. A child process: ``python -m benchmarks.service_load JSON``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from quark import jsonio
from quark.persistence.wire import API_PREFIX, BATCH_TYPE
from quark.persistence.wire_batch import encode_batch
from quark.storage.model import NO_STEP, Batch, EncodedRecord, PointBlock

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_START_US = 1_760_000_000_000_000


class Run:
    """Makes the batches of one run, like those of a training: a noisy curve in float32."""

    def __init__(self, run_id: str, keys: int, rows: int, seed: int) -> None:
        self.run_id = run_id
        self.keys = tuple(f"train/metric_{n}" for n in range(keys))
        self._rows = rows
        self._seq = 1
        random = np.random.default_rng(seed)
        noise = random.standard_normal((16, rows, keys)).astype(np.float32).astype(float)
        self._values = 1 + 0.05 * noise
        self._jitter_us = random.integers(-100, 100, rows)

    def start_batch(self) -> Batch:
        """Return the batch that creates the run."""
        body = jsonio.dumps({"project_id": "proj_bench", "project_name": "bench"})
        record = EncodedRecord(1, 0, "run", None, None, _START_US, body)
        return Batch(run_id=self.run_id, writer_id="w", first_seq=1, last_seq=1, records=(record,))

    def point_batches(self) -> Iterator[Batch]:
        """Yield one batch after the other, without end."""
        for number in itertools.count():
            first = self._seq + 1
            self._seq += self._rows
            seq = np.arange(first, first + self._rows)
            block = PointBlock(
                keys=self.keys,
                seq=seq,
                step=seq - 2,
                epoch=np.full(self._rows, NO_STEP),
                time_us=_START_US + seq * 1000 + self._jitter_us,
                values=(self._values[number % 16] / (1 + 0.001 * number)).astype(np.float32),
            )
            yield Batch(
                run_id=self.run_id,
                writer_id="w",
                first_seq=first,
                last_seq=self._seq,
                blocks=(block,),
            )

    def bodies(self) -> Iterator[bytes]:
        """Yield what is sent: the batch that creates the run, and then points."""
        yield encode_batch(self.start_batch())
        for batch in self.point_batches():
            yield encode_batch(batch, batch.first_seq - 1)


class Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if len(rest) < size or self._answer is None:
            return
        self._buffer = rest[size:]
        self._answer.set_result((int(head[9:12]), rest[:size]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed"))

    def send(self, head: bytes, body: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; the future gives status and body of its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.writelines((head, b"%d\r\n\r\n" % len(body), body))
        return self._answer


class Load:
    """All runs of one load, and what came of them."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments
        self.points_a_batch = arguments["keys"] * arguments["rows"]
        self.latencies_ns: list[int] = []
        self.refused: dict[int, int] = {}
        self._connections: dict[str, Connection] = {}

    async def go(self) -> dict[str, Any]:
        """Send for ``seconds`` and return the figures."""
        given = self.arguments
        runs = self.runs()
        streams = [run.bodies() for run in runs]
        for run, stream in zip(runs, streams, strict=True):  # files are made, keys are numbered
            await self._exchange(run, next(stream), [])
            await self._exchange(run, next(stream), [])
        begin = time.monotonic()
        end = begin + given["seconds"]
        period = None
        if given.get("points_per_second"):
            period = self.points_a_batch * len(runs) / given["points_per_second"]
        cpu = time.process_time()
        await asyncio.gather(
            *(
                self._drive(run, stream, n / len(runs), period, begin, end)
                for n, (run, stream) in enumerate(zip(runs, streams, strict=True))
            )
        )
        found = figures(self.latencies_ns, self.points_a_batch)
        found["seconds"] = time.monotonic() - begin
        found["client_cpu_seconds"] = time.process_time() - cpu
        found["refused"] = self.refused
        return found

    def runs(self) -> list[Run]:
        """Return what is sent."""
        given = self.arguments
        return [
            Run(f"{given['name']}-{n}", given["keys"], given["rows"], n)
            for n in range(given["runs"])
        ]

    def head(self, run: Run) -> bytes:
        """Return a request's head, but for its length."""
        lines = [
            f"POST {API_PREFIX}/workspaces/-/runs/{run.run_id}/batches HTTP/1.1",
            "Host: localhost",
            f"Content-Type: {BATCH_TYPE}",
            f"Authorization: Bearer {self.arguments['user_key']}",
        ]
        return ("\r\n".join(lines) + "\r\nContent-Length: ").encode()

    async def _drive(
        self,
        run: Run,
        stream: Iterator[bytes],
        offset: float,
        period: float | None,
        begin: float,
        end: float,
    ) -> None:
        due = begin + offset * (period or 0)
        for body in stream:
            if period is None:
                due = time.monotonic()
            else:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            if due >= end:
                return
            await self._exchange(run, body, self.latencies_ns, due)
            due += period or 0

    async def _exchange(
        self, run: Run, body: bytes, latencies_ns: list[int], due: float | None = None
    ) -> None:
        connection = await self._connection(run)
        head = self.head(run)
        begin = time.monotonic() if due is None else due
        while True:
            status, answer = await connection.send(head, body)
            if status == 200:
                latencies_ns.append(int((time.monotonic() - begin) * 1e9))
                return
            if status not in (429, 503):
                raise RuntimeError(f"{status}: {answer[:500]!r}")
            self.refused[status] = self.refused.get(status, 0) + 1
            await asyncio.sleep(0.1)

    async def _connection(self, run: Run) -> Connection:
        connection = self._connections.get(run.run_id)
        if connection is None or connection.transport.is_closing():
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, "127.0.0.1", self.arguments["port"]
            )
            self._connections[run.run_id] = connection
        return connection


def figures(latencies_ns: list[int], points_a_batch: int) -> dict[str, Any]:
    """Return how much was sent, and percentiles of how long a batch took."""
    ordered = sorted(latencies_ns)
    return {
        "batches": len(ordered),
        "points": len(ordered) * points_a_batch,
        **{
            f"p{name}_ms": ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6
            for name, share in (("50", 0.5), ("99", 0.99), ("99.9", 0.999), ("100", 1))
        },
    }


def main() -> None:
    """Send a load and print one line of JSON."""
    import uvloop

    load = Load(json.loads(sys.argv[1]))
    print(json.dumps(uvloop.run(load.go())))


if __name__ == "__main__":
    main()
