"""Every page and tab: opens without an error, wide and narrow, light and dark, seeing and not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.data import EXTREMES, ROOT, Runs
from tests.browser.serving import Served, settle
from tests.browser.tripwire import Tripwire

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

STATIC = ROOT / "quark" / "dashboard" / "static"
#: As pages/run.js names them.
TABS = re.findall(r'\{ id: "([a-z]+)", title', (STATIC / "pages" / "run.js").read_text())

Serve = Callable[[Path], Served]


def tabs(run_id: str) -> list[str]:
    """Return the addresses of a run's tabs."""
    return [f"/runs/{run_id}/{tab}" for tab in TABS]


FILLED = [
    "/runs",
    *tabs("digits"),
    *tabs("broken"),
    *tabs("rich"),
    "/compare",
    "/compare?run=digits&run=broken",
    "/artifacts",
    "/artifacts/digits-data",
    "/artifacts/digits-data/v1",
]
BARE = ["/runs", *tabs("bare"), "/compare", "/artifacts"]


def test_every_tab_is_known() -> None:
    pages = (STATIC / "pages" / "index.js").read_text()

    assert len(TABS) >= 10
    assert set(re.findall(r'path: "(/[a-z]+)', pages)) == {"/runs", "/compare", "/artifacts"}


def reading(page: Page) -> list[str]:
    """What is wrong with a page as it stands."""
    wrong = []
    if page.locator(".state.failure").count():
        wrong.append(f"says: {page.locator('.state.failure').first.inner_text()}")
    over = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if over > 0:
        widest = page.evaluate(
            """() => [...document.querySelectorAll("body *")]
              .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
              .slice(0, 4).map((one) => one.outerHTML.slice(0, 120))"""
        )
        wrong.append(f"is {over} px wider than its window: {widest}")
    return wrong + axe.findings(page)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (400, False)])
@pytest.mark.parametrize("folder", ["demo", "bare", "empty"])
def test_every_page_can_be_read(
    served: Serve, runs: Runs, folder: str, width: int, dark: bool
) -> None:
    place = served(getattr(runs, folder))
    paths = {"demo": FILLED, "bare": BARE, "empty": ["/runs", "/compare", "/artifacts"]}[folder]
    page = place.open(paths[0], width=width, dark=dark)
    assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    wrong: dict[str, list[str]] = {}
    titles = set()

    for path in paths:
        place.go(page, path)
        page.wait_for_function("document.fonts.ready.then(() => true)")
        titles.add(page.title())
        for fault in reading(page):
            wrong.setdefault(fault, []).append(path)

    assert wrong == {}, "\n".join(f"{fault}\n  on {where}" for fault, where in wrong.items())
    assert all(title.endswith("· Quark") for title in titles)
    assert len(titles) >= 3


@pytest.mark.parametrize("how", ["", "log=y", "log=xy&smooth=0.9", "x=time", "x=elapsed&log=x"])
def test_every_number_can_be_drawn(served: Serve, runs: Runs, how: str) -> None:
    page = served(runs.extreme).open(f"/runs/extreme/charts?{how}", height=4000)

    charts = page.locator("[data-metric]")
    expect(charts).to_have_count(2 * len(EXTREMES) + 1)
    for number in range(charts.count()):
        expect(charts.nth(number).locator("canvas, .empty, .quiet").first).to_be_attached()


def test_an_address_of_nothing_says_so(served: Serve, runs: Runs, tripwire: Tripwire) -> None:
    tripwire.allow("console: Failed to load resource.* 404")
    place = served(runs.bare)

    page = place.open("/nowhere/at/all")
    expect(page.get_by_text("There is no such page.")).to_be_visible()

    place.go(page, "/runs/no-such-run")
    expect(page.get_by_role("alert")).to_contain_text("no-such-run")

    place.go(page, "/runs/bare/no-such-tab")
    expect(page.get_by_role("alert")).to_contain_text("no such part")


def test_the_keyboard_is_enough(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/runs")

    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page).to_have_title("Compare · Quark")
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page).to_have_title("Runs · Quark")

    before = page.evaluate("document.documentElement.dataset.theme")
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") != before
    page.reload()
    settle(page)
    assert page.evaluate("document.documentElement.dataset.theme") != before

    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    _tab_to(page, page.get_by_role("grid", name="Runs"))
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("one of everything")
    page.go_back()
    expect(page).to_have_title("Runs · Quark")


@pytest.mark.parametrize("path", FILLED)
def test_every_control_has_a_name_and_can_be_reached(served: Serve, runs: Runs, path: str) -> None:
    page = served(runs.demo).open(path)

    reached = _walk(page)
    settle(page)  # what is fetched only when it comes into sight is there now
    reached |= _walk(page)

    visible = page.evaluate(
        """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
          .filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: false })
            && one.getClientRects().length && !one.disabled && one.tabIndex >= 0
            && !one.closest("[inert], [aria-hidden=true]")
            && !(one.type === "radio" && !one.checked))
          .map((one) => one.outerHTML.slice(0, 100))"""
    )
    missed = [one for one in visible if one not in reached]
    assert missed == [] or len(reached) >= _MOST
    assert not [one for one in reached.values() if one != "outlined"], reached


_MOST = 150


def _walk(page: Page) -> dict[str, str]:
    """Press Tab through a page; return what had the focus, and whether one could see that."""
    reached: dict[str, str] = {}
    page.evaluate("document.activeElement.blur()")
    for _ in range(_MOST):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
              const one = document.activeElement;
              if (!one || one === document.body) return null;
              const style = getComputedStyle(one);
              const marked = [...one.querySelectorAll("tr.active td")].some(
                (cell) => getComputedStyle(cell).boxShadow !== "none");
              if (one.controls) return [one.outerHTML.slice(0, 100), "outlined"]; // its own ring
              const seen = style.outlineStyle !== "none" || style.boxShadow !== "none" || marked;
              return [one.outerHTML.slice(0, 100), seen ? "outlined" : "not outlined"];
            }"""
        )
        if found is None:
            break
        reached[found[0]] = found[1]
    return reached


def _tab_to(page: Page, place: Locator) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if place.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("Tab does not come there.")
