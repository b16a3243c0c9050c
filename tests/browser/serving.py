"""Dashboards over folders of runs, each on a real port, as ``quark ui`` serves them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import uvicorn

from quark.dashboard.local import LocalDesk, local_app
from quark.storage.embedded import EmbeddedStore
from tests.support.ports import lasting_port

if TYPE_CHECKING:
    from playwright.sync_api import Page

_START_SECONDS = 120


class Server:
    """A dashboard that answers. Owns its thread and its store."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder
        self.port = port = port or lasting_port()
        listening = socket.create_server(("127.0.0.1", port))
        self.store = EmbeddedStore(folder / ".quark")
        desk = LocalDesk(self.store, port=port)
        self.address = f"http://127.0.0.1:{port}"
        #: Where a browser has to go first.
        self.entrance = f"{self.address}/ui/enter?token={desk.token}"
        config = uvicorn.Config(local_app(desk), log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="test-dashboard", daemon=True
        )
        self._thread.start()
        pause = threading.Event()
        for _ in range(_START_SECONDS * 100):
            if self._server.started:
                return
            pause.wait(0.01)
        raise AssertionError("the dashboard did not start")

    def close(self) -> None:
        """Stop, and wait until it has."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive(), "the dashboard did not stop"
        self.store.close()


@dataclass(frozen=True)
class Served:
    """A folder's dashboard, for one test.

    Args:
        address: Of the server, without a path.
        new_page: Opens a page that is watched.
    """

    address: str
    entrance: str
    new_page: Callable[..., Page]

    def open(
        self, path: str = "/runs", *, width: int = 1280, height: int = 900, dark: bool = False
    ) -> Page:
        """Open a page of its own window below ``/ui`` and wait until it shows something."""
        page = self.new_page(width=width, height=height, dark=dark)
        page.goto(self.entrance)
        self.go(page, path)
        return page

    def go(self, page: Page, path: str) -> None:
        """Go to another address of this dashboard, as if it was typed."""
        page.goto(f"{self.address}/ui{path}")
        settle(page)


def asked(page: Page) -> dict[str, list[str]]:
    """Return the parameters of the page's address."""
    return parse_qs(urlsplit(page.url).query)


def wait_until_asked(page: Page, **parameters: list[str]) -> None:
    """Wait until the page's address has these parameters, whatever others it has."""

    def has_come(url: str) -> bool:
        return parameters.items() <= parse_qs(urlsplit(url).query).items()

    page.wait_for_url(has_come, wait_until="commit")


def settle(page: Page) -> None:
    """Wait until a page shows something and waits for nothing."""
    page.wait_for_function(
        "() => document.querySelector('main')?.innerText.trim()"
        " && !document.querySelector('.spinner')"
    )


def quiet(page: Page) -> None:
    """Wait until a page has asked nothing for half a second: what it would do, it has done."""
    page.wait_for_load_state("networkidle")
