"""A line of the log is one line, says what matters, and holds nothing that is secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quark.clock import parse_timestamp
from quark.persistence.wire import REQUEST_ID_HEADER, STORAGE_DIR_HEADER
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.guards.headers import SECURITY_HEADERS
from quark.service.identity.key_text import new_key_text
from quark.service.limits import GuardLimits
from quark.service.logs import JsonLog, follow_library_logs
from quark.service.state import ServiceState
from tests.support.asgi import InProcess
from tests.support.clock import FakeClock
from tests.support.identity import first_key

RUNS = "/api/v1/workspaces/-/runs"


class Service:
    def __init__(self, root: Path, **changes: Any) -> None:
        self.stream = io.StringIO()
        self.app = create_app(ServiceConfig(root=root, **changes), clock=FakeClock())
        self.state: ServiceState = self.app.state.service
        self.state.log = JsonLog(self.stream, clock=FakeClock())
        self.key = first_key(self.app)
        self.client = InProcess(self.app, self.key)

    def lines(self) -> list[dict[str, Any]]:
        text = self.stream.getvalue()
        assert text.isascii() or text.isprintable()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    with service.client:
        yield service
    service.state.close()


def test_a_request_is_one_line_with_what_matters(service: Service) -> None:
    answer = service.client.get(f"{RUNS}/my-run?tag=secret-project&limit=1")

    (line,) = service.lines()
    assert parse_timestamp(line.pop("time")) == FakeClock.START_US
    assert line == {
        "level": "info",
        "event": "request",
        "method": "GET",
        "route": "/api/v1/workspaces/{workspace}/runs/{run_id}",
        "status": 404,
        "ms": 0.0,
        "received_bytes": 0,
        "sent_bytes": len(answer.content),
        "user": "admin",
        "key_id": service.key.split("_")[1],
        "workspace": "local",
        "address": "192.0.2.1",
        "request_id": answer.headers[REQUEST_ID_HEADER],
    }


def test_nothing_of_what_was_asked_for_gets_into_the_log(service: Service) -> None:
    strange = str(new_key_text())
    service.client.get(f"{RUNS}?tag={strange}")
    service.client.get(f"{RUNS}/{strange}")
    service.client.get(f"/{strange}")
    service.client.get("/api/v1/me", key=strange)
    service.client.get(RUNS, headers={STORAGE_DIR_HEADER: strange, "User-Agent": strange})
    service.client.post("/api/v1/users", content=strange, headers={"Content-Type": strange})
    service.client.post("/api/v1/users", json={"name": strange, strange: strange})

    text = service.stream.getvalue()
    assert len(service.lines()) == 7
    for secret in (strange, strange.split("_")[2], service.key, service.key.split("_")[2]):
        assert secret not in text


def test_an_answer_does_not_repeat_a_secret(service: Service) -> None:
    strange = str(new_key_text())

    for answer in (
        service.client.get("/api/v1/me", key=strange),
        service.client.post("/api/v1/users", json={"name": "a", "password": strange}),
        service.client.post("/api/v1/users", json={"name": [strange]}),
        service.client.get(RUNS, headers={REQUEST_ID_HEADER: strange + "!"}),
    ):
        assert strange not in answer.text + repr(answer.headers)


@pytest.mark.parametrize(
    "evil",
    [
        'x\n{"level":"error","event":"forged"}',
        "x\r\nSet-Cookie: a=b",
        "\x1b[2J\x1b[31m",
        "\u2028forged",
        "a\x85b",
        "\u202eevil",
        "x" * 65,
        "",
    ],
)
def test_a_request_id_that_could_forge_a_line_or_a_header_is_not_taken(
    service: Service, evil: str
) -> None:
    given = evil.encode("utf-8")
    answer = service.client.get(
        "/api/v1/me",
        headers={REQUEST_ID_HEADER: given, "X-Forwarded-For": given},
    )

    (line,) = service.lines()
    assert line["request_id"] == answer.headers[REQUEST_ID_HEADER]
    assert line["request_id"].isalnum()
    assert "forged" not in service.stream.getvalue()


def test_a_request_id_that_was_given_is_kept(service: Service) -> None:
    answer = service.client.get("/api/v1/me", headers={REQUEST_ID_HEADER: "run-7.a_B"})

    assert answer.headers[REQUEST_ID_HEADER] == service.lines()[0]["request_id"] == "run-7.a_B"


def test_what_is_written_stays_in_its_line_whatever_it_holds() -> None:
    stream = io.StringIO()
    log = JsonLog(stream)
    evil = "a\nb\rc\x1bd\x00e\x7ff\x85g\u2028h\u202ei\ufeffj\ud800é"

    log.line("odd", note=evil, nothing=None)

    text = stream.getvalue()
    assert text.count("\n") == 1
    assert len(text.splitlines()) == 1
    assert text.strip().isprintable()
    said = json.loads(text)
    assert said["note"].replace("?", "\ud800") == evil
    assert "nothing" not in said


def test_a_stream_that_is_gone_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    stream = io.StringIO()
    stream.close()

    JsonLog(stream).line("started")


def test_what_libraries_log_is_taken_in_without_secrets() -> None:
    stream = io.StringIO()
    logger = logging.getLogger("quark-test-library")
    follow_library_logs(JsonLog(stream), "quark-test-library")
    try:
        logger.info("listening on %s\nforged", "http://bob:hunter2@host")
        try:
            raise ValueError("api_key=abcdefgh12345678")
        except ValueError:
            logger.exception("it failed")
    finally:
        logger.handlers = []

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["level"] for line in lines] == ["info", "error"]
    assert lines[0]["message"] == "listening on http://[redacted]@host\nforged"
    assert "ValueError" in lines[1]["exception"]
    assert "abcdefgh12345678" not in stream.getvalue()


def test_every_answer_has_the_headers_that_keep_browsers_from_mischief(service: Service) -> None:
    for answer in (
        service.client.get("/api/v1/me"),
        service.client.get("/api/v1/me", key="wrong"),
        service.client.get("/nosuch"),
        service.client.get("/openapi.json"),
    ):
        for name, value in SECURITY_HEADERS:
            assert answer.headers.get_list(name.decode()) == [value.decode()]
        assert "server" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers[REQUEST_ID_HEADER]


def test_pages_of_other_hosts_may_ask_only_where_that_is_configured(tmp_path: Path) -> None:
    ours = "https://dash.example.com"
    headers = {"Origin": ours, "Access-Control-Request-Method": "GET"}
    for origins, allowed in (((), None), ((ours,), ours)):
        service = Service(tmp_path, cors_origins=origins)
        with service.client as client:
            preflight = client.request("OPTIONS", "/api/v1/me", headers=headers)
            answer = client.get("/api/v1/me", headers={"Origin": ours})
            other = client.get("/api/v1/me", headers={"Origin": "https://evil.example.com"})
        service.state.close()

        assert preflight.headers.get("access-control-allow-origin") == allowed
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert "access-control-allow-origin" not in other.headers
        assert "access-control-allow-credentials" not in answer.headers


def test_too_many_or_too_large_headers_are_refused(tmp_path: Path) -> None:
    service = Service(tmp_path, guards=GuardLimits(max_headers=20, max_header_bytes=2000))
    with service.client as client:
        for path, headers, status in (
            ("/api/v1/me", {}, 200),
            ("/api/v1/me", {f"X-{number}": "a" for number in range(20)}, 431),
            ("/api/v1/me", {"X-A": "a" * 2000}, 431),
            (f"{RUNS}?tag={'a' * 2000}", {}, 431),
            (f"{RUNS}/{'a' * 2000}", {}, 431),
        ):
            assert client.get(path, headers=headers).status_code == status
    service.state.close()


def test_a_fault_of_ours_is_told_apart_and_not_told_in_detail(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: Any) -> Any:
        raise ZeroDivisionError("division by the secret")

    monkeypatch.setattr(service.state.identity.directory, "workspaces", fault)

    answer = service.client.get("/api/v1/workspaces", forgiving=True)

    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text
    assert "secret" not in answer.text
    (line,) = service.lines()
    assert (line["status"], line["level"]) == (500, "error")
    assert line["request_id"] in answer.text


@pytest.mark.parametrize("opener", ["[", '{"a":', '{"name":['], ids=["list", "object", "mixed"])
def test_a_depth_bomb_is_refused_and_the_service_goes_on(service: Service, opener: str) -> None:
    for kind in ("application/json", "application/problem+json", "text/json"):
        bomb = service.client.post(
            "/api/v1/workspaces", content=opener * 200_000, headers={"Content-Type": kind}
        )
        assert bomb.status_code == 422
        assert json.loads(bomb.content)["error"]["type"] == "SchemaValidationError"

    assert service.client.get("/api/v1/me").status_code == 200
