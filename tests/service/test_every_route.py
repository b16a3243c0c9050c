"""No route lets anybody through who should not be: tried on every route that there is."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from quark import jsonio
from quark.persistence.wire import STORAGE_DIR_HEADER
from quark.service.access import (
    belongs_to_workspace,
    rules_service,
    rules_workspace,
    signed_in,
    watches_service,
)
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.guards.door import PUBLIC_PATHS
from quark.service.identity.key_text import new_key_text, read_key_text
from quark.service.identity.model import Role, Scope
from quark.service.logs import JsonLog
from quark.service.state import ServiceState
from quark.service.stores import StoreKey
from tests.storage.building import batch, losses, run_record
from tests.support.asgi import InProcess
from tests.support.clock import FakeClock
from tests.support.identity import ROOT

#: What may be changed with a key that only reads: one's own keys.
CHANGED_BY_READERS = {
    ("POST", "/api/v1/workspaces/{workspace}/user_keys"),
    ("DELETE", "/api/v1/workspaces/{workspace}/user_keys/{key_id}"),
}
SCOPE_OF_GUARD = {
    signed_in: None,
    belongs_to_workspace: Scope.READ,
    rules_workspace: Scope.ADMIN,
    rules_service: Scope.ADMIN,
    watches_service: None,
}


@dataclass(frozen=True)
class Route:
    """One method of one path, and the guards among what it depends on."""

    method: str
    template: str
    guards: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def is_public(self) -> bool:
        return self.template in PUBLIC_PATHS

    @property
    def needed(self) -> Scope | None:
        """The largest scope that a guard asks for; None: any."""
        scopes = [scope for guard in self.guards if (scope := guard_scope(guard)) is not None]
        return max(scopes, key=list(Scope).index) if scopes else None

    def path(self, workspace: str = "-") -> str:
        path = self.template.replace("{workspace}", workspace)
        return re.sub(r"\{(\w+)(?::\w+)?\}", "x", path)


def guard_scope(guard: Any) -> Scope | None:
    return SCOPE_OF_GUARD.get(guard, getattr(guard, "needed", None))


def guards_of(dependant: Dependant) -> Iterator[Any]:
    for each in dependant.dependencies:
        if each.call in SCOPE_OF_GUARD or hasattr(each.call, "needed"):
            yield each.call
        yield from guards_of(each)


def routes_of(app: FastAPI) -> list[Route]:
    routes = []
    for context in iter_route_contexts(app.routes):
        dependant = getattr(context, "dependant", None)
        guards = () if dependant is None else tuple(guards_of(dependant))
        for method in sorted(context.methods or ()):
            routes.append(Route(method, str(context.path), guards))
    return routes


def application(root: Path, clock: FakeClock | None = None) -> FastAPI:
    return create_app(ServiceConfig(root=root), clock=clock or FakeClock())


ROUTES = routes_of(application(Path("nowhere")))
CLOSED = [route for route in ROUTES if not route.is_public]
IN_WORKSPACE = [route for route in CLOSED if "{workspace}" in route.template]


class Team:
    """A service with two workspaces, and a client for its application."""

    def __init__(self, root: Path) -> None:
        self.clock = FakeClock()
        self.app = application(root, self.clock)
        state: ServiceState = self.app.state.service
        self.state, self.identity = state, state.identity
        state.log = JsonLog(io.StringIO())
        self.client = InProcess(self.app)
        for workspace in ("team", "other"):
            self.identity.directory.create_workspace(workspace, by=ROOT)
        self.identity.directory.create_user("boss", by=ROOT)
        self.identity.directory.set_service_admin("boss", True, by=ROOT)

    def key(
        self,
        scope: Scope,
        *,
        workspace: str = "team",
        user: str | None = None,
        role: Role | None = None,
        **more: Any,
    ) -> str:
        """A new key of a member whose role allows no more than ``scope``."""
        user = user or f"{workspace}-{scope.value}"
        directory = self.identity.directory
        if user not in {known.name for known in directory.users()}:
            directory.create_user(user, by=ROOT)
            role = role or {item.scope: item for item in Role}[scope]
            directory.set_member(workspace, user, role, by=ROOT)
        issued = self.identity.keys.issue(
            user=user, workspace=workspace, scope=scope, by=ROOT, **more
        )
        return issued.text

    def ask(self, route: Route, *, workspace: str = "-", **more: Any) -> httpx.Response:
        self.clock.advance(10)  # so that nobody is put off for failing too often
        return self.client.request(route.method, route.path(workspace), **more)

    def close(self) -> None:
        self.client.__exit__(None, None, None)
        self.state.close()


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path)
    yield team
    team.close()


def said(response: httpx.Response) -> tuple[int, str]:
    """The status and the type of an error; there must be nothing else in it."""
    if response.request.method == "HEAD":
        return response.status_code, ""
    body = jsonio.loads(response.content)
    assert list(body) == ["error"]
    assert sorted(body["error"]) == ["message", "type"]
    return response.status_code, body["error"]["type"]


def test_every_route_has_a_guard_and_what_changes_something_is_not_for_readers() -> None:
    assert len(CLOSED) > 20
    assert [str(route) for route in CLOSED if not route.guards] == []
    assert [
        str(route)
        for route in IN_WORKSPACE
        if not any(guard_scope(guard) for guard in route.guards)
    ] == []
    assert [
        str(route)
        for route in CLOSED
        if route.method not in ("GET", "HEAD")
        and route.needed in (None, Scope.READ)
        and (route.method, route.template) not in CHANGED_BY_READERS
    ] == []


def test_what_is_public_is_a_short_list() -> None:
    assert sorted(PUBLIC_PATHS) == ["/docs", "/healthz", "/openapi.json", "/readyz"]


def test_every_route_refuses_whoever_has_no_good_key(team: Team) -> None:
    identity = team.identity
    good = team.key(Scope.ADMIN)
    parts = read_key_text(good)
    assert parts is not None
    revoked = team.key(Scope.ADMIN)
    identity.keys.revoke(str(revoked.split("_")[1]), by=ROOT)
    expired = team.key(Scope.ADMIN, expires_us=team.clock.time_us() + 1)
    disabled = team.key(Scope.WRITE, user="gone", role=Role.MEMBER)
    identity.directory.set_disabled("gone", True, by=ROOT)
    team.clock.advance(1)

    strangers: dict[str, dict[str, str]] = {
        "no key": {},
        "empty": {"Authorization": ""},
        "another scheme": {"Authorization": f"Basic {good}"},
        "no scheme": {"Authorization": good},
        "malformed": {"Authorization": "Bearer hunter2"},
        "too long": {"Authorization": f"Bearer {good}0"},
        "not ascii": {"Authorization": "Bearer qk_\u00e9"},
        "unknown": {"Authorization": f"Bearer {new_key_text()}"},
        "wrong secret": {"Authorization": f"Bearer qk_{parts.key_id}_{new_key_text().secret}"},
        "revoked": {"Authorization": f"Bearer {revoked}"},
        "expired": {"Authorization": f"Bearer {expired}"},
        "disabled": {"Authorization": f"Bearer {disabled}"},
    }
    raw = {name: {k: v.encode("latin-1") for k, v in h.items()} for name, h in strangers.items()}
    for route in CLOSED:
        for name, headers in raw.items():
            response = team.ask(route, headers=headers, content=b"[" * 3)
            status, kind = said(response)
            assert status == 401, f"{route}: {name}"
            assert kind in ("AuthenticationError", ""), f"{route}: {name}"
            assert response.headers["www-authenticate"] == "Bearer"
            assert parts.secret not in response.text
            assert b"traceback" not in response.content.lower()


def test_every_route_refuses_a_key_whose_scope_is_too_small(team: Team) -> None:
    tried = 0
    for route in CLOSED:
        for scope in Scope:
            if route.needed is None or scope.includes(route.needed):
                continue
            # Once the key is small, once the role: the member was an admin when it was issued.
            small_key = team.key(scope, user=f"admin-{scope.value}", role=Role.ADMIN)
            small_role = team.key(scope)
            for key in (small_key, small_role):
                assert said(team.ask(route, key=key))[0] == 403, f"{route}: {scope}"
                tried += 1

    assert tried > 20


def test_a_workspaces_admin_does_not_rule_the_service(team: Team) -> None:
    key = team.key(Scope.ADMIN)
    rulers = {rules_service, watches_service}
    for_service = [route for route in CLOSED if rulers & {*route.guards}]

    assert len(for_service) >= 5
    for route in for_service:
        assert said(team.ask(route, key=key)) == (403, "PermissionDeniedError"), str(route)


def test_another_workspace_answers_the_same_whether_it_exists_or_not(team: Team) -> None:
    keys = {scope: team.key(scope) for scope in Scope}

    assert len(IN_WORKSPACE) > 15
    for route in IN_WORKSPACE:
        for scope, key in keys.items():
            answers = [
                team.ask(route, workspace=workspace, key=key)
                for workspace in ("other", "nosuch", "%2e%2e", "team%2f..%2fother", "x" * 500)
            ]
            for answer in answers:
                assert answer.status_code in (403, 404, 405), f"{route}: {scope}"
                if answer.status_code == 403:
                    assert answer.content == answers[0].content, f"{route}: {scope}"
            assert [answer.status_code for answer in answers[:2]] == [403, 403], f"{route}: {scope}"


def test_a_run_of_another_workspace_is_as_one_that_is_not_there(team: Team) -> None:
    keys = [team.key(Scope.ADMIN), team.key(Scope.ADMIN, workspace="other")]
    of_runs = [route for route in IN_WORKSPACE if "{run_id}" in route.template]
    of_runs.sort(key=lambda route: route.method == "DELETE")

    def answers(key: str) -> dict[str, tuple[int, bytes]]:
        found = [(str(route), team.ask(route, key=key)) for route in of_runs]
        return {name: (answer.status_code, answer.content) for name, answer in found}

    before = answers(keys[0])
    theirs = team.state.stores.get(StoreKey("other"))
    theirs.append(batch(1, 3, run_record(), losses(2, [0.5, 0.25]), run_id="x"))

    assert answers(keys[0]) == before
    assert theirs.records.get_run("x").run_id == "x"
    assert answers(keys[1]) != before  # else it was not there at all


def test_who_was_removed_from_the_workspace_is_refused_everywhere(team: Team) -> None:
    key = team.key(Scope.WRITE)
    team.identity.directory.remove_member("team", "team-write", by=ROOT)

    for route in CLOSED:
        assert said(team.ask(route, key=key))[0] == 403, str(route)


def test_a_good_key_comes_through_to_every_route(team: Team) -> None:
    """Else the tests above would pass on routes that refuse everybody."""
    key = team.key(Scope.ADMIN, user="boss")
    for route in CLOSED:
        response = team.ask(route, key=key)
        assert response.status_code not in (401, 403, 500), f"{route}: {response.text}"


def test_behind_the_door_nothing_is_open_that_nobody_thought_of(team: Team) -> None:
    for path in ("/", "/redoc", "/api/v1/nosuch", "/healthz/", "//healthz", "/metrics"):
        assert said(team.client.get(path)) == (401, "AuthenticationError"), path
    assert team.client.get("/openapi.json").status_code == 200


@pytest.mark.parametrize(
    "storage_dir",
    [
        "../other",
        "..",
        "/etc",
        "a/../../other",
        "%2e%2e%2fother",
        "a\\..\\b",
        "~",
        ".quark",
        "a//b",
    ],
)
def test_a_storage_dir_never_leads_out_of_the_workspace(team: Team, storage_dir: str) -> None:
    key = team.key(Scope.WRITE)

    response = team.client.get(
        "/api/v1/workspaces/-/runs", key=key, headers={STORAGE_DIR_HEADER: storage_dir}
    )

    assert said(response) == (422, "SchemaValidationError")
