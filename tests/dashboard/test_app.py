"""The dashboard as an application: what it answers, compressed, cached, refused and faulty."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from quark import jsonio
from quark.dashboard import app as dashboard
from quark.dashboard.app import PREFIX, STATIC, dashboard_app, route_templates
from quark.dashboard.headers import PAGE_POLICY
from quark.dashboard.place import Place
from quark.dashboard.routes import VIEWS, View
from quark.dashboard.static_files import StaticFiles
from quark.errors import RunNotFoundError, SessionStoreError
from quark.storage.embedded import EmbeddedStore


class Anybody:
    """A desk that lets everybody in."""

    def __init__(self, store: EmbeddedStore, *, may_write: bool = True) -> None:
        self.store = store
        self.may_write = may_write

    async def place(self, request: Request) -> Place:
        return Place(
            store=self.store,
            workspace="local",
            storage_dir="",
            user="you",
            may_write=self.may_write,
            kind="local",
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Anybody]:
    store = EmbeddedStore(tmp_path / ".quark")
    yield Anybody(store)
    store.close()


def ask(app: Any, method: str, path: str, **more: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **more)

    return asyncio.run(asked())


def with_view(desk: Anybody, monkeypatch: pytest.MonkeyPatch, answer: Any) -> Starlette:
    views = (View("GET", "/tried", answer), View("POST", "/tried", answer, writes=True))
    monkeypatch.setattr(dashboard, "VIEWS", views)
    return dashboard_app(desk, is_remote=True)


def test_every_address_that_is_no_file_and_no_json_is_the_page(desk: Anybody) -> None:
    app = dashboard_app(desk)
    page = (STATIC / "index.html").read_bytes()

    for path in ("/ui/", "/ui/runs", "/ui/runs/a%2Fb/charts", "/ui/nosuch", "/ui/api"):
        assert ask(app, "GET", path).content == page, path
    assert ask(app, "GET", "/ui").headers["location"] == "/ui/"
    assert ask(app, "GET", "/elsewhere").status_code == 404
    nothing = ask(app, "GET", "/ui/api/nosuch")
    assert (nothing.status_code, nothing.json()["error"]["type"]) == (404, "SessionStoreError")
    assert ask(app, "DELETE", "/ui/api/me").status_code == 405


def test_every_answer_says_what_a_browser_may_do_with_it(desk: Anybody) -> None:
    app = dashboard_app(desk)
    for path in ("/ui/", "/ui/static/app.js", "/ui/api/me", "/ui/api/nosuch", "/elsewhere"):
        headers = ask(app, "GET", path).headers
        assert headers["content-security-policy"] == PAGE_POLICY, path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["cross-origin-opener-policy"] == "same-origin", path
    assert ask(app, "GET", "/ui/api/me").headers["cache-control"] == "no-store"


def test_a_view_answers_packed_over_a_network_and_plain_on_this_machine(
    desk: Anybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [float("nan"), *map(float, range(5000))]
    app = with_view(desk, monkeypatch, lambda place, asked: {"values": values})

    packed = ask(app, "GET", "/ui/api/tried", headers={"Accept-Encoding": "gzip, br"})
    plain = ask(app, "GET", "/ui/api/tried", headers={"Accept-Encoding": "br"})
    at_home = ask(dashboard_app(desk), "GET", "/ui/api/tried")

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in at_home.headers
    assert packed.json() == plain.json() == at_home.json() == {"values": [None, *values[1:]]}


def test_what_goes_wrong_in_a_view_is_told_by_its_kind(
    desk: Anybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    class _PrivateError(SessionStoreError):
        retry_after_seconds = 2.5

    raised: list[Exception] = []

    def fails(place: Place, asked: Any) -> Any:
        raise raised[-1]

    app = with_view(desk, monkeypatch, fails)

    def answer(error: Exception) -> tuple[int, str, str]:
        raised.append(error)
        got = ask(app, "GET", "/ui/api/tried")
        told = got.json()["error"]
        return got.status_code, told["type"], told["message"]

    assert answer(RunNotFoundError("There is no run.")) == (
        404,
        "RunNotFoundError",
        "There is no run.",
    )
    assert answer(_PrivateError("busy")) == (503, "SessionStoreError", "busy")
    assert ask(app, "GET", "/ui/api/tried").headers["retry-after"] == "3"
    status, kind, message = answer(RuntimeError("hidden"))
    assert (status, kind) == (500, "SessionStoreError")
    assert "hidden" not in message


def test_a_view_that_writes_needs_the_right_the_header_and_an_object(
    desk: Anybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def writes(place: Place, asked: Any) -> Any:
        seen.append(asked.body)
        return {}

    app = with_view(desk, monkeypatch, writes)
    own = {"X-Quark-Dashboard": "1"}

    def post(headers: dict[str, str], content: bytes = b"{}") -> int:
        return ask(app, "POST", "/ui/api/tried", content=content, headers=headers).status_code

    assert post(own) == 200
    assert post({}) == 403
    assert post({**own, "Sec-Fetch-Site": "cross-site"}) == 403
    assert post({**own, "Sec-Fetch-Site": "same-site"}) == 403
    for content in (b"[]", b"1", b"{", b'{"a":' + b"1" * (1 << 20) + b"}"):
        assert post(own, content) == 422
    desk.may_write = False
    assert post(own) == 403
    assert seen == [{}]


def test_views_wait_for_their_turn_so_that_others_have_room(
    desk: Anybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    lock, gate = threading.Lock(), threading.Event()
    running, most = 0, 0

    def slow(place: Place, asked: Any) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == dashboard.MAX_VIEWS_AT_ONCE:
                gate.set()
        gate.wait(60)
        with lock:
            running -= 1
        return {}

    app = with_view(desk, monkeypatch, slow)

    async def many() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            asked = [client.get("/ui/api/tried") for _ in range(40)]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert asyncio.run(many()) == [200] * 40
    assert most == dashboard.MAX_VIEWS_AT_ONCE


def test_every_endpoint_has_a_name_for_logs(desk: Anybody) -> None:
    found = set(route_templates(dashboard_app(desk)).values())

    assert {f"{PREFIX}/api{view.path}" for view in VIEWS} <= found
    assert f"{PREFIX}/static/{{path:path}}" in found


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("one")
    files = StaticFiles(tmp_path)

    def get(**headers: str) -> Any:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        return asyncio.run(files.answer(Request({"type": "http", "headers": raw}), "a.js"))

    first = get()
    assert (first.body, first.headers["content-type"]) == (b"one", "text/javascript; charset=utf-8")
    again = {"If-None-Match": first.headers["etag"]}
    assert get(**again).status_code == 304
    (tmp_path / "a.js").write_text("another")
    second = get(**again)
    assert (second.status_code, second.body) == (200, b"another")
    (tmp_path / "a.js").unlink()
    assert get().status_code == 404
    (tmp_path / "a.js").mkdir()
    assert get().status_code == 404


def test_views_are_named_once() -> None:
    names = [(view.method, view.path) for view in VIEWS]

    assert len(set(names)) == len(names)
    assert all(view.method in ("GET", "POST") for view in VIEWS)
    assert jsonio.dumps([list(name) for name in names])
