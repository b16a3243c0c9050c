"""How a service ends: what was acknowledged is stored, and it does not take for ever."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from quark.errors import SessionStoreError
from quark.persistence.wire import API_PREFIX
from quark.service.ingest import RunPlace
from quark.service.reading import PointsAsked
from quark.service.state import ServiceState
from quark.service.stores import StoreKey, Stores
from quark.storage.protocols import Store
from tests.storage.building import batch, losses, run_record
from tests.support.processes import ServiceProcess, ask, wait_until
from tests.support.service import running_service, service_config

SECONDS = 90


def stored(root: Path, workspace: str = "team") -> tuple[Stores, Store]:
    stores = Stores(service_config(root))
    return stores, stores.get(StoreKey(workspace))


class Sender(threading.Thread):
    """Appends points of one run, one after the other, until the service does not answer."""

    def __init__(self, service: ServiceProcess, run_id: str) -> None:
        super().__init__(name=f"test-sender-{run_id}")
        self.run_id = run_id
        self.acknowledged = 0
        self._store = service.store(timeout_seconds=30.0)
        self._store.append(batch(1, 1, run_record(), run_id=run_id))

    def run(self) -> None:
        try:
            for seq in range(2, 100_000):
                self._store.append(batch(seq, seq, losses(seq, [float(seq)]), run_id=self.run_id))
                self.acknowledged += 1
        except SessionStoreError:
            return
        finally:
            self._store.close()


def test_what_was_acknowledged_before_a_stop_is_stored(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path / "root")
    with service:
        senders = [Sender(service, f"r{number}") for number in range(4)]
        for sender in senders:
            sender.start()
        wait_until(lambda: all(sender.acknowledged > 20 for sender in senders), seconds=SECONDS)
        children = psutil.Process(service.pid).children(recursive=True)

        code = service.stop(seconds=SECONDS)

        for sender in senders:
            sender.join(SECONDS)
    stores, store = stored(service.root)
    counts = {s.run_id: len(store.points.series(s.run_id, "loss")) for s in senders}
    stores.close()
    assert code == 0, service.said()
    # The last one may be stored without its answer having come through.
    for sender in senders:
        assert counts[sender.run_id] - sender.acknowledged in (0, 1)
    psutil.wait_procs(children, 5)
    assert [child for child in children if child.is_running()] == []
    assert list((service.root / "service" / "processes").iterdir()) == []


def test_a_request_that_was_begun_is_answered_and_then_the_port_is_closed(tmp_path: Path) -> None:
    with ServiceProcess(tmp_path / "root") as service:
        body = b"{" + b" " * 2000 + b"}"
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=SECONDS)
        connection.putrequest("POST", f"{API_PREFIX}/workspaces/-/documents")
        for name, value in (
            ("Authorization", f"Bearer {service.key}"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ):
            connection.putheader(name, value)
        connection.endheaders(body[:1000])
        assert ask(service.port, "/healthz")[0] == 200  # so the first half is there, too

        service.signal(signal.SIGTERM)
        wait_until(lambda: _is_closed(service.port), seconds=SECONDS)
        connection.send(body[1000:])
        answer = connection.getresponse()

        assert answer.status == 422  # it misses a field, and was answered
        connection.close()
        assert service._process is not None
        assert service._process.wait(SECONDS) == 0


def test_processes_that_hang_hold_up_the_end_for_seconds_only(tmp_path: Path) -> None:
    """Each was waited for as long as all requests are, one after the other: two minutes."""
    state = ServiceState(service_config(tmp_path, read_processes=2))
    store = state.stores.get(StoreKey("team"))
    store.append(batch(1, 400_001, run_record(), losses(2, [0.5] * 400_000)))
    place = RunPlace("team", "", "run-1")
    asked = PointsAsked(run_id="run-1", keys=["loss"])
    state.start()
    state.merging.add(place, store, final=True)
    wait_until(lambda: not state.merging._runs, what="it is packed")
    assert state.reading.read_elsewhere(place, store, asked)
    children = psutil.Process().children()
    for child in children:
        child.suspend()
    outcome: list[object] = []

    def read() -> None:
        try:
            outcome.append(len(state.reading.read(place, store, asked)))
        except SessionStoreError as error:
            outcome.append(error)

    waiting = threading.Thread(target=read)
    waiting.start()
    state.merging.add(place, store, final=True)
    wait_until(lambda: any(run.is_taken for run in state.merging._runs.values()), what="packs")
    began = time.monotonic()

    state.close()

    seconds = time.monotonic() - began
    waiting.join(SECONDS)
    assert len(children) == 2
    assert not any(child.is_running() for child in children)
    assert [type(one) for one in outcome] == [SessionStoreError]
    assert seconds < 30


def test_a_request_that_was_given_up_does_not_keep_the_process(tmp_path: Path) -> None:
    slow = """
import time
from quark.storage.embedded_documents import EmbeddedDocuments
whole = EmbeddedDocuments.get
EmbeddedDocuments.get = lambda self, kind, name: (
    time.sleep(25) if kind == "slow" else whole(self, kind, name)
)
"""
    words = ("--shutdown-timeout-seconds", "1")
    path = f"{API_PREFIX}/workspaces/-/documents/slow/item?name=a"
    with ServiceProcess(tmp_path / "root", *words, prelude=slow) as service:
        line = socket.create_connection(("127.0.0.1", service.port), timeout=SECONDS)
        head = f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {service.key}\r\n\r\n"
        line.sendall(head.encode())
        assert ask(service.port, "/healthz")[0] == 200
        threading.Event().wait(0.5)
        began = time.monotonic()

        code = service.stop(seconds=60)
        line.close()

    assert code == 0
    assert time.monotonic() - began < 15


def test_a_signal_may_come_while_anything_is_locked(tmp_path: Path) -> None:
    interrupted_with_the_lock = """
import os, signal
from quark.service.live_waiting import LiveWaiting
begin, killed = LiveWaiting.__init__, []

class Interrupted:
    def __init__(self, lock):
        self.lock = lock
    def __enter__(self):
        self.lock.acquire()
        if not killed:
            killed.append(True)
            os.kill(os.getpid(), signal.SIGTERM)
    def __exit__(self, *error):
        self.lock.release()

def begin_interrupted(self, *words):
    begin(self, *words)
    self._lock = Interrupted(self._lock)

LiveWaiting.__init__ = begin_interrupted
"""
    path = f"{API_PREFIX}/workspaces/-/runs/run-1/changes?wait_seconds=60"
    with ServiceProcess(tmp_path / "root", prelude=interrupted_with_the_lock) as service:
        store = service.store()
        store.append(batch(1, 1, run_record()))
        store.close()

        status, _ = ask(service.port, path, key=service.key, seconds=SECONDS)

        assert status == 200
        assert service.wait(SECONDS) == 0


def test_a_connection_that_is_made_during_a_stop_is_answered_once(tmp_path: Path) -> None:
    with running_service(service_config(tmp_path)) as service:
        service.stop()
        url = httpx.URL(service.url)
        with socket.create_connection((url.host, url.port), timeout=SECONDS) as line:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
            answered = b""
            while piece := line.recv(65536):
                answered += piece
        with socket.create_connection((url.host, url.port), timeout=SECONDS) as silent:
            assert silent.recv(1) == b""

    assert answered.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answered.lower()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with ServiceProcess(tmp_path / "root") as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=SECONDS)
        connection.putrequest("POST", f"{API_PREFIX}/workspaces/-/documents")
        connection.putheader("Authorization", f"Bearer {service.key}")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"half")
        assert ask(service.port, "/healthz")[0] == 200

        service.signal(number)
        wait_until(lambda: _is_closed(service.port), seconds=SECONDS)
        code = service.stop(seconds=25)  # its deadline would be 30 s
        connection.close()

    assert code == 1


def _is_closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False
