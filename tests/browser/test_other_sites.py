"""Pages of other sites, in the same browser as a dashboard: they learn nothing and change nothing.

One is on another port of the same host, which to a browser is the same site, so that it gets the
cookie sent along; the other has a name of its own that points to this machine.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from quark.storage.embedded import EmbeddedStore
from tests.browser.conftest import chromium_path
from tests.browser.serving import Server
from tests.storage.building import batch, losses, run_record

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: What a page tries against the dashboard at TARGET; it says what each attempt came to.
ATTEMPTS = """
async (target) => {
  const body = JSON.stringify({ action: "delete", run_ids: ["run-1"], force: true });
  const form = (type) => {
    const one = document.createElement("form");
    Object.assign(one, { method: "POST", enctype: type, target: "sink" });
    one.action = `${target}/ui/api/runs/actions`;
    const field = document.createElement("input");
    Object.assign(field, { name: body.slice(0, -1) + ',"x":"', value: '"}' });
    one.append(field);
    document.body.append(one);
    one.submit();
    return new Promise((resolve) => setTimeout(() => resolve("sent"), 500));
  };
  const loads = (tag, path) => new Promise((resolve) => {
    const one = document.createElement(tag);
    one.onload = () => resolve("loaded");
    one.onerror = () => resolve("refused");
    one.src = target + path;
    document.body.append(one);
  });
  const reads = async (path, options) => {
    try {
      const answer = await fetch(target + path, { credentials: "include", ...options });
      return answer.type === "opaque" ? "opaque" : `${answer.status}: ${await answer.text()}`;
    } catch { return "refused"; }
  };
  const framed = () => new Promise((resolve) => {
    const one = document.createElement("iframe");
    one.onload = () => {
      try { resolve(`read: ${one.contentDocument.body.innerText}`); } catch { resolve("closed"); }
    };
    one.src = `${target}/ui/runs`;
    document.body.append(one);
    setTimeout(() => resolve("nothing"), 3000);
  });
  const sink = document.createElement("iframe");
  sink.name = "sink";
  document.body.append(sink);
  const json = { "Content-Type": "application/json" };
  const own = { ...json, "X-Quark-Dashboard": "1" };
  return {
    "read": await reads("/ui/api/me"),
    "read without asking": await reads("/ui/api/runs?project=vision", { mode: "no-cors" }),
    "change as text": await reads("/ui/api/runs/actions", { method: "POST", body }),
    "change unseen": await reads("/ui/api/runs/actions", { method: "POST", body, mode: "no-cors" }),
    "change as JSON": await reads("/ui/api/runs/actions", { method: "POST", body, headers: json }),
    "change as its own":
      await reads("/ui/api/runs/actions", { method: "POST", body, headers: own }),
    "form as text": await form("text/plain"),
    "form": await form("application/x-www-form-urlencoded"),
    "script": await loads("script", "/ui/api/me"),
    "program": await loads("script", "/ui/static/app.js"),
    "picture": await loads("img", "/ui/api/runs/run-1"),
    "icon": await loads("img", "/ui/static/icon.svg"),
    "frame": await framed(),
  };
}
"""


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><body></body>")

    def log_message(self, *arguments: Any) -> None:
        return


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """A port on which another server of this machine answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Blank)
    thread = threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Server]:
    store = EmbeddedStore(tmp_path / ".quark")
    store.append(batch(1, 2, run_record(name="hidden name"), losses(2, [1.0])))
    store.close()
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.mark.parametrize("site", ["another port", "another name", "another name, rebound"])
def test_another_site_learns_nothing_and_changes_nothing(
    chromium: Browser, dashboard: Server, elsewhere: int, site: str
) -> None:
    rules = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    browser = chromium.browser_type.launch(
        executable_path=chromium_path(), args=["--no-sandbox", rules]
    )
    try:
        context = browser.new_context()
        page = context.new_page()
        page.goto(dashboard.entrance)
        page.wait_for_function("() => document.body.innerText.includes('hidden name')")
        host = "127.0.0.1" if site == "another port" else "evil.example"
        page = context.new_page()
        page.goto(f"http://{host}:{elsewhere}/")
        # After its name was pointed elsewhere, a page asks "its own" server.
        target = dashboard.address.replace("127.0.0.1", host if "rebound" in site else "127.0.0.1")

        came: dict[str, str] = page.evaluate(ATTEMPTS, target)

        assert "hidden name" not in str(came)
        assert {came[name] for name in ("read", "change as JSON", "change as its own")} == {
            "refused"
        }
        for name in ("script", "program", "picture", "icon"):
            assert came[name] == "refused", name
        assert came["frame"] in ("closed", "nothing")
        window = page.evaluate(
            """async (target) => {
              const one = window.open(`${target}/ui/runs`);
              await new Promise((resolve) => setTimeout(resolve, 1500));
              try { return one.document.body.innerText; } catch { return "closed"; }
            }""",
            target,
        )
        assert "hidden name" not in str(window)
    finally:
        browser.close()
    assert dashboard.store.records.get_run("run-1").name == "hidden name"  # is still there
