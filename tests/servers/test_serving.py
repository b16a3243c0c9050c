"""``quark serve`` as real processes: workers, sockets, proxies, systemd, and how they end."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from quark.persistence.wire import API_PREFIX
from tests.service.test_shutdown import Sender, stored
from tests.storage.building import batch, losses, run_record
from tests.support.processes import ServiceProcess, ask, wait_until

SECONDS = 90


def test_what_two_workers_acknowledged_before_a_stop_is_stored(tmp_path: Path) -> None:
    with ServiceProcess(tmp_path / "root", "--workers", "2") as service:
        senders = [Sender(service, f"r{number}") for number in range(4)]
        for sender in senders:
            sender.start()
        wait_until(lambda: all(sender.acknowledged > 20 for sender in senders), seconds=SECONDS)

        code = service.stop(seconds=SECONDS)

        for sender in senders:
            sender.join(SECONDS)
    stores, store = stored(service.root)
    counts = {s.run_id: len(store.points.series(s.run_id, "loss")) for s in senders}
    stores.close()
    assert code == 0, service.said()
    for sender in senders:
        assert counts[sender.run_id] - sender.acknowledged in (0, 1)


def test_a_client_that_never_finishes_holds_a_stop_up_to_its_deadline_only(tmp_path: Path) -> None:
    with ServiceProcess(tmp_path / "root", "--shutdown-timeout-seconds", "1") as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=SECONDS)
        connection.putrequest("POST", f"{API_PREFIX}/workspaces/-/documents")
        connection.putheader("Authorization", f"Bearer {service.key}")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"half")
        assert ask(service.port, "/healthz")[0] == 200

        assert service.stop(seconds=SECONDS) == 0
        connection.close()


def test_a_worker_that_dies_is_replaced_and_none_outlives_its_parent(tmp_path: Path) -> None:
    with ServiceProcess(tmp_path / "root", "--workers", "2") as service:
        parent = psutil.Process(service.pid)
        first = parent.children()
        first[0].kill()
        wait_until(
            lambda: len({*parent.children()} - {*first}) == 1 and len(parent.children()) == 2,
            seconds=SECONDS,
            what="another worker is there",
        )
        wait_until(lambda: ask(service.port, "/healthz")[0] == 200, seconds=SECONDS)
        workers = parent.children()

        service.kill()

        _, alive = psutil.wait_procs(workers, SECONDS)
        assert alive == []


def test_workers_count_together(tmp_path: Path) -> None:
    with ServiceProcess(tmp_path / "root", "--workers", "2") as service:
        for _ in range(40):  # each on a connection of its own, so some at either worker
            assert ask(service.port, "/nothing", key=service.key)[0] == 404

        _, text = ask(service.port, "/metrics", key=service.key)

        sample = b'quark_requests_total{method="GET",route="unknown",status="404"} 40.0'
        assert sample in text
        assert service.stop(seconds=SECONDS) == 0


def test_workers_that_are_still_beginning_neither_make_it_ready_nor_spoil_a_stop(
    tmp_path: Path,
) -> None:
    second_never_begins = """
import quark.service.serving as serving
whole, started = serving.own_python, []
def own_python(*words):
    started.append(words)
    return ["sleep", "600"] if len(started) == 2 else whole(*words)
serving.own_python = own_python
"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(SECONDS)
        with ServiceProcess(
            tmp_path / "root",
            "--workers",
            "2",
            environment={"NOTIFY_SOCKET": str(tmp_path / "notify")},
            prelude=second_never_begins,
        ) as service:
            second = next(
                child for child in psutil.Process(service.pid).children() if child.name() == "sleep"
            )
            notified.setblocking(False)
            with pytest.raises(BlockingIOError):
                notified.recv(100)
            notified.settimeout(SECONDS)
            second.kill()
            told = [notified.recv(100)]
            assert service.stop(seconds=SECONDS) == 0
            told += [notified.recv(100) for _ in range(2)]  # one of each worker

            service.start()
            assert service.stop(seconds=SECONDS) == 0
            told.append(notified.recv(100))

    assert told == [b"READY=1", *[b"STOPPING=1"] * 3]
    assert service.said().count('"worker died"') == 1


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(SECONDS)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with ServiceProcess(tmp_path / "root", environment=environment) as service:
            assert notified.recv(100) == b"READY=1"
            assert service.stop(seconds=SECONDS) == 0
        assert notified.recv(100) == b"STOPPING=1"


def test_it_serves_on_a_unix_socket(tmp_path: Path) -> None:
    place = tmp_path / "quark.sock"
    command = [sys.executable, "-c", "from quark.cli.main import main; main()", "serve"]
    process = subprocess.Popen(
        [*command, "--root", str(tmp_path / "root"), "--uds", str(place)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(place.exists, seconds=SECONDS)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SECONDS)
            client.connect(str(place))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: quark\r\n\r\n")
            answer = client.recv(1000)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(SECONDS)

    assert answer.startswith(b"HTTP/1.1 200")
    assert code == 0


def test_proxies_that_are_named_say_who_asks_and_others_do_not(tmp_path: Path) -> None:
    seen: list[bool] = []
    for arguments in ([], ["--behind-proxy", "127.0.0.1"]):
        root = tmp_path / f"root-{len(seen)}"
        with ServiceProcess(root, *arguments) as service:
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=SECONDS)
            connection.request("GET", "/nothing", headers={"X-Forwarded-For": "203.0.113.7"})
            connection.getresponse().read()
            connection.close()
            service.stop(seconds=SECONDS)
            seen.append("203.0.113.7" in service.said())

    assert seen == [False, True]


def test_a_stop_while_points_are_packed_leaves_a_whole_run(tmp_path: Path) -> None:
    with ServiceProcess(tmp_path / "root") as service:
        store = service.store(timeout_seconds=SECONDS)
        store.append(batch(1, 1, run_record()))
        points = losses(2, [0.5] * 70_000)  # enough to be packed
        store.append(batch(2, 70_001, points))
        store.close()

        code = service.stop(seconds=SECONDS)

    stores, embedded = stored(service.root)
    count = len(embedded.points.series("run-1", "loss"))
    stores.close()
    assert (code, count) == (0, 70_000)
    assert os.listdir(service.root / "service" / "processes") == []
