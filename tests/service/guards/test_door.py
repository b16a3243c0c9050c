"""Who fails too often is put off, and nobody else is."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quark import jsonio
from quark.errors import SessionStoreError
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.guards.busy import BusyGuard
from quark.service.guards.door import CALLER
from quark.service.identity.key_text import new_key_text
from quark.service.identity.model import Caller, Role, Scope
from quark.service.logs import JsonLog
from quark.service.state import ServiceState
from tests.support.asgi import InProcess
from tests.support.clock import FakeClock
from tests.support.identity import ROOT, first_key

ME = "/api/v1/me"


class Service:
    def __init__(self, root: Path) -> None:
        self.clock = FakeClock()
        self.app = create_app(ServiceConfig(root=root), clock=self.clock)
        self.state: ServiceState = self.app.state.service
        self.state.log = JsonLog(io.StringIO())
        self.key = first_key(self.app)
        self.client = InProcess(self.app)

    def me(self, key: str | None = None, **more: Any) -> int:
        return self.client.get(ME, key=key or self.key, **more).status_code

    def fail(self, times: int, **more: Any) -> list[int]:
        return [self.me(str(new_key_text()), **more) for _ in range(times)]

    def log(self) -> list[str]:
        entries = self.state.identity.audit.page(limit=1000).entries
        return [entry.detail["reason"] for entry in entries if entry.action == "denied"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    with service.client:
        yield service
    service.state.close()


def test_a_burst_of_wrong_keys_is_put_off_and_told_for_how_long(service: Service) -> None:
    assert service.fail(23) == [401] * 20 + [429] * 3

    refused = service.client.get(ME, key=str(new_key_text()))
    assert refused.headers["retry-after"] == "5"
    assert jsonio.loads(refused.content)["error"]["type"] == "SessionStoreError"
    service.clock.advance(5)
    assert service.fail(2) == [401, 429]


def test_those_at_other_addresses_and_those_with_a_good_key_are_let_in(service: Service) -> None:
    assert service.me() == 200
    service.fail(25)

    assert service.me() == 200  # a training beside a forgotten one with an old key
    service.clock.advance(1)  # also when it has to be looked up again
    assert service.me() == 200
    assert service.fail(1, address="192.0.2.2") == [401]
    assert service.client.get(ME).status_code == 401  # no key is no guess
    never_seen = first_key(service.app)
    assert service.me(never_seen) == 429
    assert service.me(never_seen, address="192.0.2.2") == 200


def test_a_key_that_was_good_and_is_revoked_is_put_off_as_any_other(service: Service) -> None:
    identity = service.state.identity
    assert service.me() == 200
    service.fail(25)

    identity.keys.revoke(service.key.split("_")[1], by=ROOT)

    assert [service.me() for _ in range(3)] == [401, 429, 429]


def test_an_ipv6_client_cannot_hide_among_its_own_addresses(service: Service) -> None:
    failed = [service.fail(1, address=f"2001:db8:1:2::{n:x}")[0] for n in range(25)]

    assert failed == [401] * 20 + [429] * 5
    assert service.fail(1, address="2001:db8:1:3::1") == [401]


def test_a_put_off_client_does_not_reach_the_store(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.fail(20)

    def asked(*_: Any) -> Any:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(service.state.identity, "authenticate", asked)

    assert service.fail(5) == [429] * 5


def test_denials_are_in_the_log_seldom(service: Service) -> None:
    service.fail(15)
    service.fail(3, address="192.0.2.2")

    assert service.log() == ["no valid key"] * 2
    revoked = first_key(service.app)
    key_id = revoked.split("_")[1]
    service.state.identity.keys.revoke(key_id, by=ROOT)
    for _ in range(3):
        service.me(revoked, address="192.0.2.3")
    denied = service.state.identity.audit.page("local").entries[-1]
    assert (denied.action, denied.by.key_id, denied.by.user) == ("denied", key_id, "admin")
    assert denied.by.address == "192.0.2.3"
    assert denied.detail == {"reason": "key refused", "method": "GET", "path": ME}


@pytest.mark.parametrize(
    ("first", "other", "is_one"),
    [
        pytest.param("2001:db8::1", "2001:db8::2", True, id="compressed"),
        pytest.param("2001:db8::1", "2001:db8:0:0:ffff:1:2:3", True, id="written-out"),
        pytest.param("2001:DB8:0:0::1", "2001:0db8::9", True, id="other-writing"),
        pytest.param("fe80::1%eth0", "fe80::2%eth1", True, id="with-a-zone"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1", True, id="ipv4-mapped"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.2", False, id="ipv4-mapped-others"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="the-next-network"),
        pytest.param("192.0.2.1", "192.0.2.2", False, id="ipv4"),
        pytest.param("unknown", "192.0.2.2", False, id="no-address"),
    ],
)
def test_addresses_that_one_client_may_choose_count_as_one(
    service: Service, first: str, other: str, is_one: bool
) -> None:
    assert set(service.fail(20, address=first)) == {401}

    assert service.fail(1, address=other) == [429 if is_one else 401]


def test_a_store_that_is_down_is_no_wrong_key(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(text: str) -> Caller:
        error = SessionStoreError("The database cannot be reached.")
        error.retry_after_seconds = 7
        raise error

    monkeypatch.setattr(service.state.identity, "authenticate", down)

    answers = [service.client.get(ME, key=service.key) for _ in range(25)]

    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].headers["retry-after"] == "7"


def test_a_scope_that_is_too_small_is_in_the_workspaces_log(service: Service) -> None:
    identity = service.state.identity
    issued = identity.keys.issue(user="admin", workspace="local", scope=Scope.READ, by=ROOT)

    answer = service.client.request("DELETE", "/api/v1/workspaces/-/runs/x", key=issued.text)

    assert answer.status_code == 403
    entry = identity.audit.page("local").entries[-1]
    assert (entry.action, entry.by.key_id) == ("denied", issued.key.key_id)
    assert entry.detail["reason"] == "scope write"


def test_one_key_does_not_take_all_the_room() -> None:
    import asyncio

    def caller(key_id: str) -> Caller:
        return Caller(user="ann", key_id=key_id, workspace="w", role=Role.ADMIN, scope=Scope.ADMIN)

    async def scenario() -> tuple[list[int], list[int]]:
        release = asyncio.Event()
        statuses: list[int] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await release.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        guard = BusyGuard(app, max_requests_per_key=3)

        async def take(message: Any) -> None:
            if "status" in message:
                statuses.append(message["status"])

        async def ask(key_id: str) -> None:
            await guard({"type": "http", CALLER: caller(key_id)}, None, take)  # type: ignore[arg-type]

        async with asyncio.TaskGroup() as group:
            for key_id in ("a", "a", "a", "a", "a", "b"):
                group.create_task(ask(key_id))
            await asyncio.sleep(0)
            at_once = [*statuses]
            release.set()
        statuses.clear()
        await ask("a")
        return at_once, statuses

    assert asyncio.run(scenario()) == ([429, 429], [200])
