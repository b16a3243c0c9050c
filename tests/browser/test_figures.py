"""How long pages take: measured and printed. The bounds here only catch disasters, since a test's
machine may be busy; the figures that are meant stand beside what was measured.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.data import LONG_POINTS, MANY_RUNS, Runs
from tests.browser.serving import Served, settle

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[[Path], Served]

#: A busy machine's share: how many times longer than meant is still no disaster.
_BUSY = 6

#: Every chart in sight has its lines.
_CHARTS_DRAWN = """() => {
  const inSight = [...document.querySelectorAll(".panel")].filter(
    (one) => one.getBoundingClientRect().top < innerHeight);
  return inSight.length > 3 && inSight.every((one) => one.querySelector("canvas"))
    && [performance.now()];
}"""
_ROWS_DRAWN = """() => document.querySelectorAll("tbody tr, [role=row]").length > 10
  && [performance.now()]"""


def paint_ms(page: Page, address: str, drawn: str) -> float:
    """Load a page and return how long after the first byte was asked for it was drawn."""
    page.goto("about:blank")
    page.goto(address, wait_until="commit")
    found = page.wait_for_function(drawn, polling="raf").json_value()
    return float(found[0])


def test_first_paint_of_a_run_with_200_charts(
    served: Serve, runs: Runs, figures: list[str]
) -> None:
    place = served(runs.wide)
    page = place.open("/runs")
    address = f"{place.address}/ui/runs/wide/charts"

    cold, *warm = (paint_ms(page, address, _CHARTS_DRAWN) for _ in range(4))

    figures.append(
        f"run page with 200 charts: first paint {statistics.median(warm):.0f} ms, the very first "
        f"{cold:.0f} ms (meant: at most 1500 ms)"
    )
    assert statistics.median(warm) < 1500 * _BUSY
    settle(page)
    names = page.locator("[data-metric]")
    expect(names).to_have_count(200)
    names.last.scroll_into_view_if_needed()
    expect(names.last.locator("canvas")).to_be_visible()


def test_first_paint_of_5000_runs(served: Serve, runs: Runs, figures: list[str]) -> None:
    place = served(runs.many)
    page = place.open("/compare")
    address = f"{place.address}/ui/runs"

    cold, *warm = (paint_ms(page, address, _ROWS_DRAWN) for _ in range(4))

    figures.append(
        f"runs page with {MANY_RUNS} runs: first paint {statistics.median(warm):.0f} ms, the very "
        f"first {cold:.0f} ms (meant: at most 1000 ms)"
    )
    assert statistics.median(warm) < 1000 * _BUSY
    expect(page.locator("main")).to_contain_text("5 000")
    in_page = page.evaluate("document.querySelectorAll('main *').length")
    assert in_page < 20_000, "what is out of sight is not in the page"


def test_zoom_into_a_million_points(served: Serve, runs: Runs, figures: list[str]) -> None:
    place = served(runs.long)
    page = place.open("/runs/long/charts")
    chart = page.get_by_role("figure", name="loss: 1 series").first
    expect(chart).to_be_visible()
    answers: list[float] = []
    sizes: list[int] = []

    for left, right in ((0.2, 0.8), (0.3, 0.7), (0.4, 0.45), (0.1, 0.9)):
        box = chart.locator(".u-over").bounding_box()
        assert box is not None
        with page.expect_response(lambda one: "/ui/api/charts" in one.url) as heard:
            middle = box["y"] + box["height"] / 2
            page.mouse.move(box["x"] + box["width"] * left, middle)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * right, middle, steps=4)
            page.mouse.up()
        answer = heard.value
        answer.finished()
        timing = answer.request.timing
        answers.append(timing["responseStart"] - timing["requestStart"])
        sizes.append(len(answer.body()))

    figures.append(
        f"zoom into {LONG_POINTS} points: {statistics.median(answers):.0f} ms of the server, at "
        f"most {max(answers):.0f} ms, {max(sizes)} bytes an answer (meant: at most 150 ms)"
    )
    assert max(answers) < 150 * _BUSY
    assert max(sizes) < 1_000_000
    expect(page).to_have_url(re.compile("zoom"))
    page.go_back()
