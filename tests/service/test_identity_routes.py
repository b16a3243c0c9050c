"""Members, users and keys over HTTP: what each may do, and what comes back."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.logs import JsonLog
from quark.service.state import ServiceState
from quark.service.stores import StoreKey
from tests.storage.building import batch, run_record
from tests.support.asgi import InProcess
from tests.support.clock import FakeClock
from tests.support.identity import first_key

API = "/api/v1"


class Client:
    """Speaks to one service with the keys of several people."""

    def __init__(self, root: Path) -> None:
        self.clock = FakeClock()
        app = create_app(ServiceConfig(root=root), clock=self.clock)
        self.state: ServiceState = app.state.service
        self.state.log = JsonLog(io.StringIO())
        self.http = InProcess(app)
        self.boss = first_key(app)

    def __call__(
        self, method: str, path: str, key: str | None = None, *, status: int = 200, **body: Any
    ) -> Any:
        what: dict[str, Any] = {"json": body} if body else {}
        answer = self.http.request(method, API + path, key=key or self.boss, **what)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def join(self, workspace: str, user: str, role: str, scope: str) -> str:
        """A key of somebody who is new."""
        self("POST", "/users", name=user, status=201)
        self("PUT", f"/workspaces/{workspace}/members/{user}", role=role)
        issued = self(
            "POST", f"/workspaces/{workspace}/user_keys", user=user, scope=scope, status=201
        )
        return str(issued["user_key"])


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    client("POST", "/workspaces", name="vision", status=201)
    with client.http:
        yield client
    client.state.close()


def test_a_team_is_set_up_over_http(client: Client) -> None:
    ann = client.join("vision", "ann@example.com", "admin", "admin")

    assert client("GET", "/me", ann) == {
        "user": "ann@example.com",
        "workspace": "vision",
        "key_id": ann.split("_")[1],
        "role": "admin",
        "scope": "admin",
        "service_admin": False,
        "expires_at": None,
    }
    assert [each["name"] for each in client("GET", "/workspaces")["workspaces"]] == [
        "local",
        "vision",
    ]
    assert [each["name"] for each in client("GET", "/workspaces", ann)["workspaces"]] == ["vision"]
    client("POST", "/users", name="bob", status=201)
    client("PUT", "/workspaces/-/members/bob", ann, role="viewer")
    assert client("GET", "/workspaces/vision/members", ann)["members"] == [
        {"user": "ann@example.com", "role": "admin"},
        {"user": "bob", "role": "viewer"},
    ]
    client("DELETE", "/workspaces/-/members/bob", ann, status=204)
    client("DELETE", "/workspaces/-/members/bob", ann, status=404)
    client("POST", "/workspaces", name="vision", status=409)
    client("PUT", "/workspaces/nosuch/members/bob", role="viewer", status=404)


def test_a_user_manages_their_own_keys_and_sees_no_others(client: Client) -> None:
    ann = client.join("vision", "ann", "member", "write")
    bob = client.join("vision", "bob", "member", "write")
    keys = "/workspaces/-/user_keys"

    issued = client("POST", keys, ann, scope="read", label="plots", status=201)
    assert client("GET", "/me", issued["user_key"])["scope"] == "read"
    listed = client("GET", keys, ann)["keys"]
    assert [key["user"] for key in listed] == ["ann", "ann"]
    assert "user_key" not in listed[0]
    assert len(client("GET", "/workspaces/vision/user_keys")["keys"]) == 3

    client("POST", keys, ann, user="bob", status=403)
    client("POST", keys, ann, scope="admin", status=403)
    client("POST", keys, issued["user_key"], scope="write", status=403)
    unknown = client("DELETE", f"{keys}/000000000000", bob, status=404)
    others = client("DELETE", f"{keys}/{issued['key_id']}", bob, status=404)
    assert str(others).replace(issued["key_id"], "000000000000") == str(unknown)
    revoked = client("DELETE", f"{keys}/{issued['key_id']}", ann)
    assert revoked["revoked_at"] == "2024-01-01T00:00:00Z"
    client("GET", "/me", issued["user_key"], status=401)


def test_a_key_that_expires_cannot_make_one_that_does_not(client: Client) -> None:
    client.join("vision", "ann", "member", "write")
    path = "/workspaces/vision/user_keys"
    short = client("POST", path, user="ann", expires_at="2024-01-01T02:00:00+01:00", status=201)[
        "user_key"
    ]

    made = client("POST", "/workspaces/-/user_keys", short, scope="read", status=201)
    later = client(
        "POST",
        "/workspaces/-/user_keys",
        short,
        scope="read",
        expires_at="2025-01-01T00:00:00Z",
        status=201,
    )

    assert made["expires_at"] == later["expires_at"] == "2024-01-01T01:00:00Z"
    client("POST", path, user="ann", expires_at="2023-01-01T00:00:00Z", status=422)
    client("POST", path, user="ann", expires_at="2025-01-01T00:00:00", status=422)


def test_a_disabled_user_is_out_at_once_and_a_typing_error_is_not_taken(client: Client) -> None:
    ann = client.join("vision", "ann", "member", "write")

    client("PATCH", "/users/ann", disable=True, status=422)
    assert client("GET", "/me", ann)["user"] == "ann"
    assert client("PATCH", "/users/ann", disabled=True)["disabled"] is True
    client("GET", "/me", ann, status=401)
    client("PATCH", "/users/admin", service_admin=False, status=403)
    client("PATCH", "/users/nosuch", disabled=True, status=404)


def test_the_audit_log_is_read_page_by_page_by_admins(client: Client) -> None:
    ann = client.join("vision", "ann", "admin", "admin")
    for _ in range(5):
        client("POST", "/workspaces/-/user_keys", ann, scope="read", status=201)

    page = client("GET", "/workspaces/-/audit?limit=4", ann)
    rest = client("GET", f"/workspaces/vision/audit?after={page['next_after']}", ann)

    entries = page["entries"] + rest["entries"]
    assert rest["next_after"] is None
    assert [entry["action"] for entry in entries] == ["member.set", *["key.issue"] * 6]
    last = entries[-1]
    assert (last["user"], last["key_id"], last["address"]) == (
        "ann",
        ann.split("_")[1],
        "192.0.2.1",
    )
    assert last["request_id"]
    assert last["at"].startswith("2024-01-01T00:00:00")
    none = client("GET", "/workspaces/-/audit?since=2024-01-02T00:00:00Z", ann)
    assert none == {"entries": [], "next_after": None}
    actions = [entry["action"] for entry in client("GET", "/audit")["entries"]]
    assert actions.count("workspace.create") == 2
    client("GET", "/workspaces/-/audit?after=x", ann, status=422)


def test_a_run_that_is_deleted_is_in_the_log(client: Client) -> None:
    client("DELETE", "/workspaces/-/runs/run-1", status=404)
    store = client.state.stores.get(StoreKey("local"))
    store.append(batch(1, 1, run_record(), run_id="run-1"))

    client("DELETE", "/workspaces/-/runs/run-1", status=204)

    entries = client("GET", "/workspaces/-/audit")["entries"]
    deleted = [entry for entry in entries if entry["action"] == "run.delete"]
    assert [(entry["user"], entry["detail"]) for entry in deleted] == [
        ("admin", {"run_id": "run-1"})
    ]


def test_a_key_that_an_admin_of_a_workspace_issues_for_others_never_rules_the_service(
    client: Client,
) -> None:
    bob = client.join("vision", "bob", "admin", "admin")
    client.join("vision", "eve", "member", "write")
    keys = "/workspaces/vision/user_keys"

    for_boss = client("POST", keys, bob, user="admin", scope="admin", status=201)["user_key"]
    for_eve = client("POST", keys, bob, user="eve", scope="write", status=201)["user_key"]
    client("PATCH", "/users/eve", service_admin=True)
    again = client("POST", keys, for_boss, scope="admin", status=201)["user_key"]
    own = client("POST", keys, user="eve", scope="admin", status=201)["user_key"]

    for key in (for_boss, for_eve, again):
        assert client("GET", "/me", key)["service_admin"] is False
        client("GET", "/users", key, status=403)
        client("GET", "/audit", key, status=403)
    assert client("GET", "/workspaces/vision/members", again)
    assert client("GET", "/me", own)["service_admin"] is True
    client("GET", "/users", own)
