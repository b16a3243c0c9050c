"""``quark ui``: only who started it sees the store, whatever pages of other sites try."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quark.dashboard.local import LocalDesk, local_app
from quark.dashboard.routes import VIEWS
from quark.storage.embedded import EmbeddedStore
from tests.dashboard.test_app import ask

PORT = 8765
OWN = {"X-Quark-Dashboard": "1"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LocalDesk]:
    store = EmbeddedStore(tmp_path / ".quark")
    yield LocalDesk(store, port=PORT)
    store.close()


def get(desk: LocalDesk, path: str, **headers: str) -> httpx.Response:
    return ask(local_app(desk), "GET", path, headers=headers)


def test_the_word_in_the_address_becomes_a_cookie_and_nothing_else_does(desk: LocalDesk) -> None:
    entered = get(desk, f"/ui/enter?token={desk.token}")

    assert entered.headers["location"].endswith("/ui/")
    cookie = entered.headers["set-cookie"]
    assert f"quark_ui_{PORT}={desk.token}" in cookie
    assert {"HttpOnly", "Path=/ui", "SameSite=strict"} <= set(cookie.split("; "))
    for wrong in ("", "?token=", "?token=x", f"?token={desk.token}x", "?token=%ff", "?token=é"):
        assert "set-cookie" not in get(desk, f"/ui/enter{wrong}").headers, wrong
    assert len(LocalDesk(desk._store, port=1).token) >= 32
    assert LocalDesk(desk._store, port=1).token != desk.token


def test_no_view_answers_without_the_cookie(desk: LocalDesk) -> None:
    good = f"quark_ui_{PORT}={desk.token}"
    app = local_app(desk)
    for view in VIEWS:
        path = "/ui/api" + view.path.replace("{run_id}", "x")
        for cookie in ("", f"quark_ui_{PORT}=", f"quark_ui_{PORT}=x", f"quark_ui_1={desk.token}"):
            headers = {**OWN, "Cookie": cookie}
            more: dict[str, Any] = {"content": b"{}"} if view.method == "POST" else {}
            answer = ask(app, view.method, path, headers=headers, **more)
            assert answer.status_code == 401, f"{view.path}: {cookie}"
            assert "www-authenticate" not in answer.headers  # there is no login to show
        headers = {**OWN, "Cookie": good}
        assert ask(app, view.method, path, headers=headers).status_code not in (401, 403)


def test_a_site_whose_name_points_to_this_machine_gets_nothing(desk: LocalDesk) -> None:
    cookie = f"quark_ui_{PORT}={desk.token}"
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1.evil.example", "", "0.0.0.0"):
        for path in ("/ui/api/me", "/ui/", f"/ui/enter?token={desk.token}"):
            answer = get(desk, path, Host=host, Cookie=cookie)
            assert answer.status_code == 400, host
            assert "set-cookie" not in answer.headers
    for host in (f"127.0.0.1:{PORT}", "localhost"):
        assert get(desk, "/ui/api/me", Host=host, Cookie=cookie).json()["kind"] == "local"


def test_a_page_of_another_site_can_change_nothing(desk: LocalDesk) -> None:
    cookie = {"Cookie": f"quark_ui_{PORT}={desk.token}"}
    body = b'{"action":"delete","run_ids":["x"],"force":true}'
    app = local_app(desk)
    for headers in (
        {},
        {"Content-Type": "text/plain"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", **OWN},
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site", **OWN},
    ):
        answer = ask(
            app, "POST", "/ui/api/runs/actions", content=body, headers={**cookie, **headers}
        )
        assert answer.status_code == 403, headers
    own = {**cookie, **OWN, "Sec-Fetch-Site": "same-origin"}
    assert ask(app, "POST", "/ui/api/runs/actions", content=body, headers=own).status_code == 200
