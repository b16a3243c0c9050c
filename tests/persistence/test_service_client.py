"""What a client makes of services, of what stands in between, and of nothing at all."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from quark import jsonio
from quark.errors import (
    AuthenticationError,
    PermissionDeniedError,
    RecordRejectedError,
    RunNotFoundError,
    SchemaValidationError,
    SessionStoreError,
    SettingsError,
)
from quark.persistence.http_store import HttpStore
from quark.persistence.open import open_store
from quark.persistence.service_client import ServiceClient
from quark.persistence.service_url import parse_service_url
from quark.persistence.wire import GZIP_ABOVE_BYTES, JSON_TYPE, error_body
from quark.settings import Settings
from tests.persistence.raw_server import answer, raw_server
from tests.storage.building import batch, run_record
from tests.support.clock import FakeClock
from tests.support.ports import lasting_port

KEY = "qk_0123456789ab_" + "s" * 40


def error_answer(status: str, kind: str, message: str = "said so", more: str = "") -> bytes:
    return answer(status, jsonio.dumps(error_body(kind, message)), JSON_TYPE, more)


# -- URLs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "base", "is_local"),
    [
        ("https://quark.example.com", "https://quark.example.com", False),
        ("HTTPS://Quark.Example.com:444/", "https://quark.example.com:444", False),
        ("http://host/deep/er/", "http://host/deep/er", False),
        ("http://[::1]:8321/x", "http://[::1]:8321/x", True),
        ("http://127.0.0.2:1", "http://127.0.0.2:1", True),
        ("http://localhost", "http://localhost", True),
        ("http://[2001:db8::1]", "http://[2001:db8::1]", False),
    ],
)
def test_a_url_is_taken_apart(url: str, base: str, is_local: bool) -> None:
    found = parse_service_url(f"{url}?storage_dir=vision/2026")

    assert (found.base, found.is_local) == (base, is_local)
    assert found.storage_dir == "vision/2026"
    assert ServiceClient(url, None).target == base


@pytest.mark.parametrize(
    "url",
    [
        f"https://{KEY}@quark.example.com",
        f"https://user:{KEY}@quark.example.com",
        f"https://quark.example.com/?user_key={KEY}",
        f"https://quark.example.com/?storage_dir={KEY}",
        f"https://quark.example.com/{KEY}/",
        f"https://quark.example.com/#{KEY}",
        "https://quark.example.com/?token=hush",
        "https://quark.example.com/#hush",
        "https://user:hush@quark.example.com",
        "https://",
        "https://host:port/",
        "ftp://host",
    ],
)
def test_a_url_with_a_secret_or_without_a_host_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SessionStoreError, match="QUARK_PERSISTENCE_URL") as caught:
        ServiceClient(url, None)

    assert "hush" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_the_key_is_in_no_text_that_a_client_gives() -> None:
    port = lasting_port()
    http = ServiceClient(f"http://127.0.0.1:{port}?storage_dir=a", KEY)

    with pytest.raises(SessionStoreError, match="cannot be reached") as caught:
        http.get("/api/v1/me")

    texts = [http.target, str(caught.value), repr(http), repr(HttpStore(http)), repr(caught.value)]
    assert not [text for text in texts if KEY in text]
    assert f"http://127.0.0.1:{port}" in str(caught.value)
    http.close()


def test_a_key_that_goes_unencrypted_to_another_machine_is_warned_of_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for url, key in [
        ("http://quark.example.com", KEY),
        ("http://quark.example.com", KEY),
        ("http://127.0.0.1:1", KEY),
        ("http://other.example.com", None),
        ("https://other.example.com", KEY),
    ]:
        open_store(Settings(persistence_url=url, user_key=key)).close()

    told = capsys.readouterr().err
    assert told.count("unencrypted") == 1
    assert "http://quark.example.com" in told
    assert KEY not in told


# -- answers ---------------------------------------------------------------------------------------

#: What an answer raises when a batch was sent. Only a refusal of its content may set it aside.
ANSWERS = {
    "rejected": (error_answer("422 No", "RecordRejectedError"), RecordRejectedError, "said so"),
    "too-large": (answer("413 Too Large", b"<h1>nginx</h1>"), RecordRejectedError, "nginx"),
    "no-run": (error_answer("404 No", "RunNotFoundError"), RunNotFoundError, "said so"),
    "no-key": (error_answer("401 No", "AuthenticationError"), AuthenticationError, "said so"),
    "key-of-a-proxy": (answer("401 No", b"<b>log in</b>"), AuthenticationError, "log in"),
    "forbidden": (answer("403 No", b"<b>no</b>"), PermissionDeniedError, "403"),
    "not-there": (answer("404 Not Found", b"<h1>nothing</h1>"), SessionStoreError, "nothing"),
    "schema": (error_answer("422 No", "SchemaValidationError"), SessionStoreError, "said so"),
    "validation": (answer("422 No", b'{"detail":[]}', JSON_TYPE), SessionStoreError, "422"),
    "fault": (answer("500 Oops", b"Internal Server Error"), SessionStoreError, "500"),
    "gateway": (answer("502 Bad Gateway", b"<h1>Bad Gateway</h1>"), SessionStoreError, "502"),
    "odd-error": (error_answer("400 No", "TrainingStoppedError"), SessionStoreError, "400"),
    "odder-error": (error_answer("400 No", "__doc__"), SessionStoreError, "400"),
    "login-page": (answer("200 OK", b"<html>log in"), SessionStoreError, "text/html"),
    "no-number": (answer("200 OK", b"{}", JSON_TYPE), SessionStoreError, "sent"),
    "redirect": (
        answer("302 Found", more=f"Location: https://sso.example.com/?k={KEY}\r\n"),
        SessionStoreError,
        "redirects to https://sso.example.com,",
    ),
    "other-version": (
        answer("200 OK", b"1", JSON_TYPE, "Quark-Wire-Version: 7\r\n"),
        SessionStoreError,
        "version '7'",
    ),
    "not-http": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", SessionStoreError, "cannot be reached"),
    "terminal": (answer("500 No", b"a\x1b[31mb\x07c"), SessionStoreError, "a \\[31mb c"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_means(name: str) -> None:
    reply, kind, message = ANSWERS[name]
    with raw_server(reply) as server:
        store = HttpStore(ServiceClient(server.url, KEY, timeout_seconds=60))

        with pytest.raises(SessionStoreError, match=message) as caught:
            store.append(batch(1, 1, run_record()))

        store.close()
    assert type(caught.value) is kind
    assert KEY not in str(caught.value)
    assert not isinstance(caught.value, SchemaValidationError)


def test_who_has_no_key_is_told_which_setting_it_is() -> None:
    with raw_server(answer("401 No")) as server:
        http = ServiceClient(server.url, None)

        with pytest.raises(AuthenticationError, match="Set QUARK_USER_KEY"):
            http.get("/api/v1/me")

        http.close()


def test_a_busy_service_is_asked_again_when_it_said_and_only_by_who_is_patient() -> None:
    def reply(number: int, connection: socket.socket) -> None:
        busy = error_answer("429 Busy", "SessionStoreError", more="Retry-After: 0.05\r\n")
        connection.sendall(busy if number % 3 else answer("200 OK", b"7", JSON_TYPE))

    with raw_server(reply) as server:
        http = ServiceClient(server.url, KEY)

        assert http.get("/x") == 7
        assert len(server.requests) == 3
        with pytest.raises(SessionStoreError) as caught:
            http.request("POST", "/x", body=b"1")
        assert caught.value.retry_after_seconds == 0.05
        assert len(server.requests) == 4
        http.close()


def test_a_service_that_stays_busy_is_given_up_at_the_deadline() -> None:
    busy = error_answer("503 Busy", "SessionStoreError", more="Retry-After: 0.01\r\n")
    clock = FakeClock()

    def reply(number: int, connection: socket.socket) -> None:
        clock.advance(150 if number < 3 else 199.995)
        connection.sendall(busy)

    with raw_server(reply) as server:
        http = ServiceClient(server.url, KEY, timeout_seconds=500, clock=clock)

        with pytest.raises(SessionStoreError, match="said so"):
            http.get("/x")

        assert len(server.requests) == 3
        http.close()


# -- connections -----------------------------------------------------------------------------------


def test_a_connection_that_died_is_replaced_once_and_at_once() -> None:
    def dies_after_each(number: int, connection: socket.socket) -> None:
        if number in (2, 5, 6):
            connection.shutdown(socket.SHUT_RDWR)  # as a service does that closes idle connections
        else:
            connection.sendall(answer("200 OK", b"%d" % number, JSON_TYPE))

    with raw_server(dies_after_each) as server:
        http = ServiceClient(server.url, KEY)

        assert http.get("/x") == 1
        assert http.get("/x") == 3
        assert http.get("/x") == 4
        with pytest.raises(SessionStoreError, match="cannot be reached"):
            http.get("/x")
        http.close()


def drip(number: int, connection: socket.socket) -> None:
    """Send a byte of an endless answer every few milliseconds."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    pause = threading.Event()
    for _ in range(2_000):
        connection.sendall(b"1")
        pause.wait(0.01)


def swallow(number: int, connection: socket.socket) -> None:
    """Answer nothing, and close nothing."""


@pytest.mark.parametrize(
    ("first", "is_done", "request_count"),
    [
        pytest.param(b"", True, 3, id="the-answer-was-lost"),
        pytest.param(answer("502 Bad Gateway"), True, 3, id="a-proxy-lost-it"),
        pytest.param(
            error_answer("429 Slow down", "SessionStoreError", more="Retry-After: 0\r\n"),
            False,
            2,
            id="it-was-put-off",
        ),
        pytest.param(None, False, 1, id="it-was-the-first"),
    ],
)
def test_a_run_that_is_gone_when_it_is_deleted_again_was_deleted_by_the_first_request(
    first: bytes | None, is_done: bool, request_count: int
) -> None:
    gone = error_answer("404 Not Found", "RunNotFoundError", "There is no run 'run-1'.")

    def reply(number: int, connection: socket.socket) -> None:
        if number == 1 and first is not None:
            connection.sendall(first)
            if not first:
                connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.sendall(gone)

    with raw_server(reply) as server:
        store = HttpStore(ServiceClient(server.url, KEY))
        try:
            if is_done:
                store.records.delete_run("run-1")
            # Who asks anew is told the truth.
            with pytest.raises(RunNotFoundError, match="no run 'run-1'"):
                store.records.delete_run("run-1")
        finally:
            store.close()

    assert len(server.requests) == request_count


@pytest.mark.parametrize("reply", [drip, swallow])
def test_the_deadline_is_of_all_of_a_request(reply: object) -> None:
    with raw_server(reply) as server:  # type: ignore[arg-type]
        http = ServiceClient(server.url, KEY, timeout_seconds=0.4)
        begun = time.monotonic()

        with pytest.raises(SessionStoreError, match=r"did not answer in time.*0\.4"):
            http.get("/x")

        assert time.monotonic() - begun < 15  # all of it would take 20
        http.close()


def test_a_body_that_goes_too_slowly_is_given_up_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        http = ServiceClient(f"http://127.0.0.1:{listener.getsockname()[1]}", None)
        begun = time.monotonic()

        with pytest.raises(SessionStoreError, match="in time"):
            http.request("POST", "/x", body=os.urandom(32 << 20), timeout_seconds=0.4)

        assert time.monotonic() - begun < 30
        http.close()


def test_a_large_body_is_compressed_but_not_to_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = b"1" * (4 * GZIP_ABOVE_BYTES)
    with raw_server(answer("200 OK", b"1", JSON_TYPE)) as server:
        near = ServiceClient(server.url, KEY)
        far = ServiceClient(server.url, KEY)
        far.url = far.url._replace(is_local=False)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)

        near.request("POST", "/x", body=body)
        far.request("POST", "/x", body=body)
        far.request("POST", "/x", body=b"1")

        encodings = [b"content-encoding: gzip" in head.lower() for head in server.requests]
        assert encodings == [False, True, False]
        near.close()
        far.close()


def test_a_path_before_the_service_and_ipv6_are_kept() -> None:
    with raw_server(answer("200 OK", b"1", JSON_TYPE), host="::1") as server:
        http = ServiceClient(f"{server.url}/deep/er/?storage_dir=a b", KEY)

        http.get("/api/v1/me")

        head = server.requests[0]
        assert head.startswith(b"GET /deep/er/api/v1/me HTTP/1.1")
        assert b"Quark-Storage-Dir: a%20b" in head
        http.close()


def test_no_proxy_is_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with raw_server(answer("200 OK", b"1", JSON_TYPE)) as server:
        http = ServiceClient(server.url, KEY)

        assert http.get("/x") == 1

        http.close()


def test_a_forked_child_has_connections_of_its_own() -> None:
    def reply(number: int, connection: socket.socket) -> None:
        connection.sendall(answer("200 OK", b"%d" % connection.getpeername()[1], JSON_TYPE))

    with raw_server(reply) as server:
        http = ServiceClient(server.url, KEY)
        port = http.get("/x")
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.write(writer, str(http.get("/x")).encode())
            http.close()
            os._exit(0)
        os.waitpid(pid, 0)

        theirs = int(os.read(reader, 20))

        assert http.get("/x") == port
        assert theirs != port
        http.close()
        os.close(reader)
        os.close(writer)


def test_threads_share_a_client_from_its_first_request_on() -> None:
    with raw_server(answer("200 OK", b"1", JSON_TYPE)) as server:
        http = ServiceClient(server.url, KEY)
        start = threading.Barrier(8)
        found: list[object] = []

        def ask() -> None:
            start.wait()
            found.extend(http.get("/x") for _ in range(5))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == [1] * 40
        http.close()


# -- which store -----------------------------------------------------------------------------------


def test_a_service_that_is_required_and_not_named_is_an_error() -> None:
    with pytest.raises(SessionStoreError, match="QUARK_PERSISTENCE_URL"):
        open_store(Settings(require_service=True))


def test_a_key_in_the_url_is_refused_by_the_settings_and_not_shown() -> None:
    with pytest.raises(SettingsError, match="QUARK_USER_KEY") as caught:
        Settings(persistence_url=f"https://quark.example.com/?key={KEY}")

    assert KEY not in str(caught.value)
