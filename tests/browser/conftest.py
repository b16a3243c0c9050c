"""A Chromium for all tests, dashboards for folders of runs, and pages that are watched.

``served(folder).open("/runs")`` is all that most tests need. Whatever a page does that no page may
do fails the test that opened it, see :mod:`tests.browser.tripwire`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.data import Runs
from tests.browser.serving import Served, Server
from tests.browser.tripwire import Tripwire

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

if importlib.util.find_spec("playwright") is None:
    collect_ignore_glob = ["test_*.py"]

#: Where Debian puts it; QUARK_TEST_CHROMIUM names another one.
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
#: For how long a page may take to come to what is expected: only a test that fails waits for it.
_PATIENCE_MS = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a browser the time that it needs on a busy machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know how their test ended."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


_FAILED = pytest.StashKey[bool]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured, after the dots."""
    if FIGURES:
        terminalreporter.section("figures of the dashboard")
        for line in FIGURES:
            terminalreporter.line(line)


#: Lines that tests leave for the summary.
FIGURES: list[str] = []


@pytest.fixture
def figures() -> list[str]:
    """Where a test says what it measured; it is printed when all tests have ended."""
    return FIGURES


def chromium_path() -> str | None:
    """Return where the browser is, None if it is not here."""
    named = os.environ.get("QUARK_TEST_CHROMIUM")
    return named or next(filter(None, map(shutil.which, _CHROMIUM)), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser. It keeps nothing between windows."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=_PATIENCE_MS)
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one in QUARK_TEST_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Folders of runs, each made when it is first asked for.

    ``QUARK_TEST_BROWSER_DATA`` names a folder that keeps them for the next time.
    """
    kept = os.environ.get("QUARK_TEST_BROWSER_DATA")
    return Runs(Path(kept) if kept else tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def _servers() -> Iterator[dict[Path, Server]]:
    servers: dict[Path, Server] = {}
    yield servers
    for server in servers.values():
        server.close()


@pytest.fixture
def tripwire() -> Tripwire:
    """What watches the pages of this test; ``tripwire.allow(...)`` lets something pass."""
    return Tripwire()


@pytest.fixture
def new_page(
    chromium: Browser, tripwire: Tripwire, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Page]]:
    """Open an empty page in a window of its own: ``new_page(width=400, dark=True)``.

    If the test fails, what its pages show is kept in its folder as PNG.
    """
    contexts: list[BrowserContext] = []

    def opened(*, width: int = 1280, height: int = 900, dark: bool = False) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(_PATIENCE_MS)
        contexts.append(context)
        tripwire.watch(context)
        return context.new_page()

    yield opened

    try:
        tripwire.check()
    finally:
        pages = [page for context in contexts for page in context.pages]
        if request.node.stash.get(_FAILED, True):
            for number, page in enumerate(pages):
                path = tmp_path / f"page-{number}.png"
                page.screenshot(path=path)
                print(f"{page.url}: see {path}")
        for context in contexts:
            context.close()


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """An empty page, 1280 wide and light."""
    return new_page()


@pytest.fixture
def served(
    _servers: dict[Path, Server], tripwire: Tripwire, new_page: Callable[..., Page]
) -> Callable[[Path], Served]:
    """Serve the runs below a folder: ``served(runs.demo).open("/runs")``."""

    def serve(folder: Path) -> Served:
        if folder not in _servers:
            _servers[folder] = Server(folder)
        server = _servers[folder]
        tripwire.serve(server.address)
        return Served(server.address, server.entrance, new_page)

    return serve


@pytest.fixture
def dashboard(served: Callable[[Path], Served], page: Page) -> Callable[[Path], str]:
    """Serve a folder and let ``page`` in; return the address below which its pages are."""

    def address(folder: Path) -> str:
        place = served(folder)
        page.goto(place.entrance)
        return f"{place.address}/ui"

    return address
