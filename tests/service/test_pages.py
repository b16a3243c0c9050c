"""The dashboard in the service: who is let in, what they see and change, and what is not told."""

from __future__ import annotations

import asyncio
import io
import math
import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pytest

from quark import jsonio
from quark.clock import format_timestamp
from quark.dashboard.routes import VIEWS, View
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.guards.page_requests import is_page, is_view
from quark.service.identity.engine import Identity
from quark.service.identity.key_text import new_key_text, read_key_text
from quark.service.identity.model import Role, Scope
from quark.service.identity.sessions import MAX_SESSIONS, SESSION_HOURS
from quark.service.limits import GuardLimits
from quark.service.logs import JsonLog
from quark.service.pages_store import PageStore
from quark.service.reading import read_points
from quark.service.state import ServiceState
from quark.service.stores import StoreKey
from quark.storage.model import StepRange
from quark.storage.stop_requests import find_stop_request
from tests.storage.building import batch, losses, points_of, run_record
from tests.support.asgi import InProcess
from tests.support.clock import FakeClock
from tests.support.identity import ROOT

OWN = {"X-Quark-Dashboard": "1"}
SOME_BODY = b'{"action":"tag","tags":["x"],"run_ids":["run-of-team"]}'


class Service:
    """A service with two workspaces, a run in each, and people of every scope."""

    def __init__(self, root: Path, **config: Any) -> None:
        self.clock = FakeClock()
        self.app = create_app(ServiceConfig(root=root, **config), clock=self.clock)
        self.state: ServiceState = self.app.state.service
        self.log = io.StringIO()
        self.state.log = JsonLog(self.log)
        self.http = InProcess(self.app)
        self.identity: Identity = self.state.identity
        for workspace in ("team", "other"):
            self.identity.directory.create_workspace(workspace, by=ROOT)
            store = self.state.stores.get(StoreKey(workspace))
            store.append(
                batch(1, 3, run_record(), losses(2, [0.5, 0.25]), run_id=f"run-of-{workspace}")
            )

    def key(self, scope: Scope = Scope.WRITE, workspace: str = "team", **more: Any) -> str:
        user = f"{workspace}-{scope.value}"
        if user not in {known.name for known in self.identity.directory.users()}:
            self.identity.directory.create_user(user, by=ROOT)
            role = {item.scope: item for item in Role}[scope]
            self.identity.directory.set_member(workspace, user, role, by=ROOT)
        issued = self.identity.keys.issue(
            user=user, workspace=workspace, scope=scope, by=ROOT, **more
        )
        return issued.text

    def browser(self, scope: Scope = Scope.WRITE, workspace: str = "team") -> Browser:
        browser = Browser(self)
        answer = browser.log_in(self.key(scope, workspace))
        assert answer.status_code == 200, answer.text
        return browser

    def close(self) -> None:
        self.state.close()
        self.http.__exit__(None, None, None)


class Browser:
    """Keeps a cookie as a browser does; ``cookie`` is what it would send."""

    def __init__(self, service: Service, cookie: str | None = None) -> None:
        self.service = service
        self.cookie = cookie

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**more.pop("headers", {})}
        if self.cookie is not None:
            headers["Cookie"] = self.cookie
        if method == "POST":
            headers = {**OWN, **headers}
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.service.http.request(method, path, headers=headers, **more)

    def view(self, view: View, **more: Any) -> httpx.Response:
        """A view of the team's run, and for a POST a body that it could take."""
        path = re.sub(r"\{\w+(:\w+)?\}", "run-of-team", f"/ui/api{view.path}")
        if view.method == "POST":
            more.setdefault("content", SOME_BODY)
        return self.ask(view.method, path, **more)

    def log_in(self, key: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        answer = self.ask("POST", "/ui/login", headers=headers, **more)
        for morsel in SimpleCookie(answer.headers.get("set-cookie", "")).values():
            self.cookie = f"{morsel.key}={morsel.value}"
        return answer


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.close()


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["type"]


def without_times(text: str) -> str:
    """How long something takes or has taken is no secret."""
    return re.sub(r"[0-9]+\.[0-9]{3,}", "?", text)


# -- who is let in


def test_a_login_gives_a_cookie_that_opens_the_views_and_nothing_else(service: Service) -> None:
    browser = Browser(service)
    user_key = service.key(Scope.WRITE)

    answer = browser.log_in(user_key)

    cookie = SimpleCookie(answer.headers["set-cookie"])["quark_session"]
    assert (cookie["path"], cookie["samesite"].lower(), cookie["httponly"]) == ("/ui", "strict", 1)
    assert int(cookie["max-age"]) == SESSION_HOURS * 3600
    assert not cookie["secure"]  # this one is spoken to without TLS
    assert cookie.value not in answer.text
    assert user_key not in answer.text
    me = browser.ask("GET", "/ui/api/me").json()
    assert {name: me[name] for name in ("user", "workspace", "kind", "may_write")} == {
        "user": "team-write",
        "workspace": "team",
        "kind": "service",
        "may_write": True,
    }
    for path in ("/api/v1/me", "/api/v1/workspaces/-/runs", "/metrics", "/ui/api"):
        assert said(browser.ask("GET", path)) == (401, "AuthenticationError"), path
    session = next(key for key in service.identity.keys.keys("team") if key.label == "dashboard")
    assert (session.user, session.scope) == ("team-write", Scope.WRITE)
    issued = service.identity.audit.page("team").entries[-1]
    assert (issued.action, issued.detail["label"]) == ("key.issue", "dashboard")
    assert issued.by.user == "team-write"


def test_the_cookie_is_for_tls_alone_where_there_is_tls(tmp_path: Path) -> None:
    behind = Service(tmp_path, behind_proxy=("10.0.0.0/8",))
    try:
        answer = Browser(behind).log_in(behind.key())
        assert SimpleCookie(answer.headers["set-cookie"])["quark_session"]["secure"]
    finally:
        behind.close()


def test_a_session_is_worth_no_more_than_the_key_that_began_it(service: Service) -> None:
    identity = service.identity
    identity.directory.create_user("boss", by=ROOT)
    identity.directory.set_service_admin("boss", True, by=ROOT)
    issued = identity.keys.issue(user="boss", workspace="team", scope=Scope.ADMIN, by=ROOT)
    soon_us = service.clock.time_us() + 60_000_000
    short = service.key(Scope.READ, expires_us=soon_us)
    of_boss, of_reader = Browser(service), Browser(service)
    of_boss.log_in(issued.text)
    of_reader.log_in(short)

    def as_key(browser: Browser) -> str:
        assert browser.cookie is not None
        return browser.cookie.partition("=")[2]

    # Whoever got hold of a cookie could send it as a key: that must not open more than the views.
    assert service.http.get("/api/v1/users", key=issued.text).status_code == 200
    assert said(service.http.get("/api/v1/users", key=as_key(of_boss)))[0] == 403
    again = of_reader.log_in(as_key(of_reader))
    assert again.json()["expires_at"] == format_timestamp(soon_us)
    service.clock.advance(61)
    assert said(of_reader.ask("GET", "/ui/api/me"))[0] == 401


def test_a_session_ends_with_the_key_that_began_it(service: Service) -> None:
    """Whoever revokes a key that leaked must not leave its finder signed in for half a day."""
    keys = service.identity.keys
    leaked, other = service.key(), service.key()
    thief, other_tab = Browser(service), Browser(service)
    thief.log_in(leaked)
    other_tab.log_in(other)
    assert thief.cookie is not None
    again = Browser(service)  # a session may be begun with a session's key
    assert again.log_in(thief.cookie.partition("=")[2]).is_success
    parts = read_key_text(leaked)
    assert parts is not None

    keys.revoke(parts.key_id, by=ROOT)

    for browser in (thief, again):
        answer = browser.ask("GET", "/ui/api/me")
        assert said(answer) == (401, "AuthenticationError")
        as_key = {"Authorization": f"Bearer {str(browser.cookie).partition('=')[2]}"}
        assert said(service.http.get("/api/v1/me", headers=as_key))[0] == 401
    assert other_tab.ask("GET", "/ui/api/me").is_success
    other_tab.ask("POST", "/ui/api/logout")
    assert Browser(service).log_in(other).is_success  # the other way round it is not so


def test_a_session_of_an_admin_decides_about_nobody(service: Service) -> None:
    """Pages change runs and nothing else, so a cookie that got lost is not worth more."""
    admin = service.browser(Scope.ADMIN)
    assert admin.cookie is not None
    as_key = {"Authorization": f"Bearer {admin.cookie.partition('=')[2]}"}

    assert admin.ask("GET", "/ui/api/me").json()["may_write"]
    for method, path, body in (
        ("POST", "user_keys", {"user": "team-admin", "scope": "admin"}),
        ("PUT", "members/team-write", {"role": "admin"}),
        ("GET", "audit", None),
    ):
        path = f"/api/v1/workspaces/team/{path}"
        answer = service.http.request(method, path, headers=as_key, json=body)
        assert said(answer) == (403, "PermissionDeniedError"), path


def test_who_is_made_a_viewer_while_signed_in_changes_nothing_more(service: Service) -> None:
    browser = service.browser(Scope.WRITE)
    address = "/ui/api/runs/run-of-team/actions"
    body = {"action": "tag", "tags": ["x"]}
    assert browser.ask("POST", address, json=body).is_success

    service.identity.directory.set_member("team", "team-write", Role.VIEWER, by=ROOT)

    assert not browser.ask("GET", "/ui/api/me").json()["may_write"]
    assert said(browser.ask("POST", address, json=body)) == (403, "PermissionDeniedError")
    service.identity.directory.remove_member("team", "team-write", by=ROOT)
    assert said(browser.ask("GET", "/ui/api/runs/run-of-team"))[0] == 403


def test_every_view_is_closed_to_everybody_who_should_not_see_it(service: Service) -> None:
    parts = read_key_text(service.key())
    assert parts is not None
    good = service.browser()
    assert good.cookie is not None
    revoked, disabled = service.browser(), service.browser(Scope.ADMIN)
    revoked.ask("POST", "/ui/api/logout")
    service.identity.directory.set_disabled("team-admin", True, by=ROOT)
    text = good.cookie.partition("=")[2]
    strangers = {
        "no cookie": Browser(service),
        "empty": Browser(service, "quark_session="),
        "another name": Browser(service, f"session={text}"),
        "another service's": Browser(service, f"quark_session_8321={text}"),
        "two of them": Browser(service, f"quark_session={text}; quark_session={text}"),
        "unknown": Browser(service, f"quark_session={new_key_text()}"),
        "wrong secret": Browser(
            service, f"quark_session=qk_{parts.key_id}_{new_key_text().secret}"
        ),
        "too long": Browser(service, f"quark_session={text}0"),
        "revoked": revoked,
        "disabled": disabled,
    }

    for view in VIEWS:
        for name, browser in strangers.items():
            service.clock.advance(10)  # so that nobody is put off for failing too often
            answer = browser.view(view)
            assert said(answer) == (401, "AuthenticationError"), f"{view.path}: {name}"
            assert "run-of" not in answer.text, f"{view.path}: {name}"
            assert parts.secret not in answer.text, f"{view.path}: {name}"
            assert answer.headers["www-authenticate"] == "Bearer"
        came = good.view(view)
        assert came.status_code not in (401, 403, 500), view.path  # else the rest says nothing
    service.clock.advance(SESSION_HOURS * 3600 + 1)
    for view in VIEWS:
        assert said(good.view(view)) == (401, "AuthenticationError"), view.path


def test_in_every_view_a_run_of_another_workspace_is_as_one_that_is_not_there(
    service: Service,
) -> None:
    ours, theirs = service.browser(Scope.READ), service.browser(Scope.ADMIN, "other")
    for view in VIEWS:
        ours.view(view)  # what views keep in memory must not be shown to others
        body = {} if view.method == "GET" else {"content": SOME_BODY.replace(b"team", b"nobd")}
        path = re.sub(r"\{\w+(:\w+)?\}", "run-of-nobd", f"/ui/api{view.path}")

        of_team, of_nobody = theirs.view(view), theirs.ask(view.method, path, **body)

        assert of_team.status_code == of_nobody.status_code, view.path
        told = of_team.text.replace("run-of-team", "run-of-nobd")
        assert without_times(told) == without_times(of_nobody.text), view.path
    kept = service.state.stores.get(StoreKey("team"))
    assert kept.records.get_run("run-of-team").tags == ()


def test_every_view_is_for_the_dashboards_own_pages(service: Service) -> None:
    browser, reader = service.browser(), service.browser(Scope.READ)
    delete = b'{"action":"delete","run_ids":["run-of-team"],"force":true}'
    for view in VIEWS:
        for site in ("cross-site", "same-site"):
            answer = browser.view(view, headers={"Sec-Fetch-Site": site})
            assert said(answer) == (403, "PermissionDeniedError"), f"{view.path}: {site}"
        own = browser.view(view, headers={"Sec-Fetch-Site": "same-origin"})
        assert own.status_code != 403, view.path
        if view.method == "POST":
            for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
                # As a form of another site would send it, if its cookie came along.
                forged = {"Content-Type": kind, "X-Quark-Dashboard": None}
                answer = browser.view(view, headers=forged, content=delete)
                assert said(answer) == (403, "PermissionDeniedError"), f"{view.path}: {kind}"
            if view.writes:
                assert said(reader.view(view)) == (403, "PermissionDeniedError"), view.path
    service.state.stores.get(StoreKey("team")).records.get_run("run-of-team")  # is still there


def test_every_view_that_changes_a_run_needs_the_right_to() -> None:
    assert {view.path for view in VIEWS if view.writes} >= {
        "/runs/actions",
        "/runs/{run_id}/actions",
    }
    assert all(view.method == "POST" for view in VIEWS if view.writes)


def test_who_logs_out_cannot_come_back_with_the_old_cookie(service: Service) -> None:
    user_key = service.key()
    browser = Browser(service)
    browser.log_in(user_key)
    other_tab = Browser(service, browser.cookie)

    assert browser.ask("POST", "/ui/api/logout", headers={"X-Quark-Dashboard": ""}).is_success
    assert said(other_tab.ask("GET", "/ui/api/me"))[0] == 401
    assert said(other_tab.ask("POST", "/ui/api/logout"))[0] == 401
    # A program that says so with its own key keeps that key.
    program = {"Authorization": f"Bearer {user_key}"}
    assert Browser(service).ask("POST", "/ui/api/logout", headers=program).is_success
    assert Browser(service).log_in(user_key).is_success
    revoked = [e for e in service.identity.audit.page("team").entries if e.action == "key.revoke"]
    assert [entry.by.user for entry in revoked] == ["team-write"]


def test_whoever_guesses_keys_is_put_off_and_an_old_tab_is_not_taken_for_one(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path, guards=GuardLimits(failed_keys_burst=3, failed_keys_per_second=0.1))
    try:
        old = service.browser()
        service.clock.advance(SESSION_HOURS * 3600 + 1)
        for _ in range(10):
            assert said(old.ask("GET", "/ui/api/me"))[0] == 401
        fresh = service.key()
        assert Browser(service).log_in(fresh).status_code == 200

        for _ in range(3):
            assert said(Browser(service).log_in(str(new_key_text())))[0] == 401
        put_off = Browser(service).log_in(service.key())
        assert put_off.status_code == 429
        assert int(put_off.headers["retry-after"]) > 0
        assert Browser(service).log_in(fresh).status_code == 200  # it was good before
        elsewhere = Browser(service).log_in(service.key(), address="198.51.100.7")
        assert elsewhere.status_code == 200
    finally:
        service.close()


def test_sessions_do_not_pile_up(service: Service) -> None:
    key = service.key()
    first = service.browser()
    for _ in range(MAX_SESSIONS):
        service.clock.advance(1)
        Browser(service).log_in(key)

    def sessions() -> list[Any]:
        return [one for one in service.identity.keys.keys("team") if one.label == "dashboard"]

    assert said(first.ask("GET", "/ui/api/me"))[0] == 401
    assert sum(one.revoked_us is None for one in sessions()) == MAX_SESSIONS
    service.clock.advance(SESSION_HOURS * 3600 + 1)
    Browser(service).log_in(key)
    assert len(sessions()) == 1


def test_a_login_needs_a_page_of_ours(service: Service) -> None:
    key = service.key()
    bearer = {"Authorization": f"Bearer {key}"}

    assert said(service.http.post("/ui/login", headers=bearer))[0] == 403
    assert said(Browser(service).log_in(key, headers={"Sec-Fetch-Site": "cross-site"}))[0] == 403
    cookie = {"Cookie": f"quark_session={key}"}
    assert said(Browser(service).ask("POST", "/ui/login", headers=cookie))[0] == 401
    assert said(Browser(service).ask("POST", "/ui/login", content=b'{"key":"x"}'))[0] == 401


# -- what they see and change


def test_a_storage_dir_chooses_a_store_below_the_workspace_and_never_another(
    service: Service,
) -> None:
    below = service.state.stores.get(StoreKey("team", "vision/2026"))
    below.append(batch(1, 3, run_record(), losses(2, [1.0]), run_id="deep"))
    browser = service.browser()

    found = browser.ask("GET", "/ui/api/runs/deep?storage_dir=vision/2026/")
    assert found.json()["run"]["id"] == "deep"
    assert browser.ask("GET", "/ui/api/me?storage_dir=vision/2026").json()["storage_dir"] == (
        "vision/2026"
    )
    assert said(browser.ask("GET", "/ui/api/runs/deep"))[0] == 404
    for bad in (
        "../other",
        "..",
        "/etc",
        "a/../../other",
        "a//b",
        "~",
        ".quark",
        "a\\b",
        "x" * 999,
    ):
        answer = browser.ask("GET", "/ui/api/runs/run-of-other", params={"storage_dir": bad})
        assert said(answer) == (422, "SchemaValidationError"), bad
    changed = browser.ask(
        "POST",
        "/ui/api/runs/deep/actions?storage_dir=vision/2026",
        json={"action": "rename", "name": "deep one"},
    )
    assert changed.json()["run"]["name"] == "deep one"
    assert below.records.get_run("deep").name == "deep one"


def test_what_a_page_changes_is_stored_told_and_audited(service: Service) -> None:
    browser = service.browser()
    store = service.state.stores.get(StoreKey("team"))
    address = "/ui/api/runs/run-of-team/actions"

    def act(action: str, **more: Any) -> Any:
        answer = browser.ask("POST", address, json={"action": action, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert act("tag", tags=["good", "good"])["changed"]
    assert not act("tag", tags=["good"])["changed"]
    assert act("archive")["run"]["tags"] == ["good", "archived"]
    assert act("unarchive")["run"]["tags"] == ["good"]
    assert act("note", notes="<b>bold</b>")["run"]["notes"] == "<b>bold</b>"
    assert act("stop", reason="too slow")["changed"]
    stop = find_stop_request(store.documents, "run-of-team")
    assert stop is not None
    assert (stop.by, stop.reason) == ("team-write", "too slow")
    assert act("resume")["changed"]
    refused = browser.ask("POST", address, json={"action": "delete"})
    assert said(refused) == (409, "InvalidRunStateError")
    ended = act("finish", status="interrupted")["run"]
    assert ended["status"] == "interrupted"
    assert "team-write" in ended["end_reason"]
    many = browser.ask(
        "POST", "/ui/api/runs/actions", json={"action": "delete", "run_ids": ["run-of-team", "no"]}
    ).json()
    assert (many["changed"], many["failed"]) == (1, 1)
    assert said(browser.ask("GET", "/ui/api/runs/run-of-team"))[0] == 404
    actions = [entry.action for entry in service.identity.audit.page("team").entries]
    assert actions[-3:] == ["run.stop", "run.stop.take_back", "run.delete"]


def test_long_series_are_cut_elsewhere_and_come_out_the_same(service: Service) -> None:
    store = service.state.stores.get(StoreKey("team"))
    values = [math.sin(step) * step for step in range(400)] + [math.nan, math.inf]
    store.append(batch(4, 3 + len(values), losses(4, values), run_id="run-of-team"))
    asked: list[Any] = []

    class Elsewhere:
        def read_elsewhere(self, place: Any, store: Any, points: Any) -> bytes | None:
            asked.append((place, points.keys))
            return read_points(store, points)

    key = StoreKey("team")
    found = PageStore(store, key, Elsewhere()).points.buckets("run-of-team", "loss", 50)  # type: ignore[arg-type]
    here = store.points.buckets("run-of-team", "loss", 50)

    points = PageStore(store, key, Elsewhere()).points  # type: ignore[arg-type]
    whole = points.many_series("run-of-team", ["loss", "gone"])
    (one,) = [points.series("run-of-team", "loss", StepRange(step_min=300), columns="step_value")]

    asked_for = ("team", "", "run-of-team")
    assert asked == [(asked_for, keys) for keys in (["loss"], ["loss", "gone"], ["loss"])]
    assert points_of(whole["loss"]) == points_of(store.points.series("run-of-team", "loss"))
    assert (list(whole), len(whole["gone"])) == (["loss", "gone"], 0)
    assert one.step.tolist() == list(range(300, 405))
    assert len(one.writer) == 0
    for name in ("step_start", "minimum", "maximum", "mean", "last", "count", "nonfinite_count"):
        np.testing.assert_array_equal(getattr(found, name), getattr(here, name))


def test_bodies_that_nobody_means_are_refused(service: Service) -> None:
    browser = service.browser()
    for content in (b"[]", b"null", b'"x"', b"{", b"\xff", b"[" * 5000, b'{"action":["tag"]}'):
        answer = browser.ask("POST", "/ui/api/runs/run-of-team/actions", content=content)
        assert said(answer) == (422, "SchemaValidationError"), content[:20]
    large = b'{"action":"note","notes":"' + b"x" * (1 << 20) + b'"}'
    assert browser.ask("POST", "/ui/api/runs/run-of-team/actions", content=large).status_code == 422
    # Who has no key sends nothing that is kept in memory.
    stranger = service.http.get("/ui/", headers={"Content-Type": "application/json"})
    assert stranger.status_code == 200
    flood = service.http.request(
        "GET", "/ui/", headers={"Content-Type": "application/json"}, content=b" " * 100_000
    )
    assert flood.status_code == 413


# -- pages


def test_pages_are_public_hold_nothing_and_may_be_neither_framed_nor_mended(
    service: Service,
) -> None:
    for path in ("/ui/", "/ui/runs/anything/charts?key=x", "/ui/login", "/ui/static/app.js"):
        answer = service.http.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        for nothing in ("base-uri", "form-action", "trusted-types"):
            assert f"{nothing} 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert len(answer.headers.get_list("content-security-policy")) == 1
        assert answer.headers["cache-control"] == "no-cache"
    assert service.http.get("/ui").headers["location"].endswith("/ui/")
    assert "style-src" in service.http.get("/docs").headers["content-security-policy"]
    assert (
        service.http.get("/healthz")
        .headers["content-security-policy"]
        .startswith("default-src 'none'")
    )
    view = service.browser().ask("GET", "/ui/api/me")
    assert view.headers["cache-control"] == "no-store"
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert said(service.http.request(method, "/ui/runs"))[0] == 401, method


def test_files_are_packed_and_asked_for_again_cheaply(service: Service) -> None:
    packed = service.http.get("/ui/static/style.css", headers={"Accept-Encoding": "gzip"})
    plain = service.http.get("/ui/static/style.css", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    again = {"If-None-Match": packed.headers["etag"]}
    answer = service.http.get("/ui/static/style.css", headers=again)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["content-security-policy"]
    tags = [f"{number} {'long ' * 40}" for number in range(40)]
    big = service.browser().ask(
        "POST",
        "/ui/api/runs/run-of-team/actions",
        json={"action": "tag", "tags": tags},
        headers={"Accept-Encoding": "gzip"},
    )
    assert big.headers["content-encoding"] == "gzip"
    assert len(big.json()["run"]["tags"]) == 40


def raw_get(service: Service, path: str) -> tuple[int, str]:
    """Ask for a path as it is written here; clients tidy up what they send."""
    messages: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"quark")],
        "client": ("192.0.2.1", 1),
        "server": ("quark", 80),
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    async def ask() -> None:
        await service.app(scope, receive, send)

    asyncio.run(ask())
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], body.decode()


def test_no_path_leads_out_of_the_files(service: Service) -> None:
    assert raw_get(service, "/ui/static/app.js")[0] == 200
    for path in (
        "../app.py",
        "%2e%2e/app.py",
        "..%2f..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "core/../../app.py",
        "core/../app.js",
        "./app.js",
        ".hidden",
        "app.js%00",
        "core",
        "",
        "..\\app.py",
        "C:/x",
        "nosuch.js",
        "%ff%fe",
        "x" * 5000,
    ):
        status, text = raw_get(service, f"/ui/static/{path}")
        assert (status, text) == (404, "There is no such file."), path


def test_no_spelling_of_a_path_opens_a_view_without_a_login(service: Service) -> None:
    """The door and the routes must read a path alike, whatever a client does to it."""
    closed, page = 401, 200
    for path, expected in {
        "/ui/api/me": closed,
        "/ui/%61pi/me": closed,
        "/ui/api%2fme": closed,
        "/ui/api//me": closed,
        "/ui/api/../static/app.js": closed,
        "/ui/api/../../api/v1/me": closed,
        "/ui/api/": closed,
        "/ui/api": closed,
        "//ui/api/me": closed,
        "/ui/../api/v1/me": page,
        "/ui//api/me": page,
        "/ui/./api/me": page,
        "/ui/x/../api/me": page,
        "/ui/API/me": page,
        "/ui/api;x/me": page,
        "/ui/api\\me": page,
        "/ui/static/../api/me": 404,
    }.items():
        service.clock.advance(10)
        status, text = raw_get(service, path)
        assert status == expected, path
        assert "may_write" not in text, path
        assert text.startswith("<!doctype html>") == (expected == page), path


def test_sockets_are_refused(service: Service) -> None:
    assert not is_page({"type": "websocket", "path": "/ui/"})
    assert not is_view({"type": "websocket", "path": "/ui/api/me"})


def test_neither_keys_nor_cookies_nor_queries_come_into_the_log(service: Service) -> None:
    user_key = service.key()
    browser = Browser(service)
    browser.log_in(user_key)
    assert browser.cookie is not None
    browser.ask("GET", "/ui/api/runs?project=hidden-project")
    browser.ask("POST", "/ui/api/runs/run-of-team/actions", json={"action": "secret-action"})
    browser.ask("GET", "/ui/api/runs/secret-run")
    browser.ask("POST", "/ui/api/logout")
    browser.ask("GET", "/ui/api/me")

    lines = service.log.getvalue()
    for secret in (
        user_key.rpartition("_")[2],
        browser.cookie.rpartition("_")[2],
        "hidden-project",
        "secret-action",
        "secret-run",
    ):
        assert secret not in lines
    routes = [jsonio.loads(line).get("route") for line in lines.splitlines()]
    assert "/ui/login" in routes
    assert "/ui/api/logout" in routes
    assert "/ui/api/runs/{run_id}/actions" in routes
    assert "unknown" not in routes[:-1]
    entries = repr(service.identity.audit.page("team").entries)
    assert user_key not in entries
    assert browser.cookie.partition("=")[2] not in entries


def test_a_fault_of_a_view_is_told_as_ours_and_in_the_log_alone(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = service.browser()

    def broken(*arguments: Any) -> Any:
        raise RuntimeError("hidden detail")

    monkeypatch.setattr(type(service.state.stores.get(StoreKey("team")).records), "get_run", broken)
    answer = browser.ask("GET", "/ui/api/runs/run-of-team", forgiving=True)

    assert said(answer) == (500, "SessionStoreError")
    assert "hidden" not in answer.text
