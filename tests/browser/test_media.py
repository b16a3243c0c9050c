"""Media and artifacts, as a user sees them: layers, tables, sounds, pages of nobody, files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.data import Runs
from tests.browser.serving import Served, settle

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[[Path], Served]


def pixels(page: Page) -> int:
    """Return how many pixels of the first mask are drawn."""
    return int(
        page.evaluate(
            """() => {
              const canvas = document.querySelector("canvas.mask");
              if (!canvas || !canvas.width) return -1;
              const { width, height } = canvas;
              const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
              let count = 0;
              for (let at = 3; at < data.length; at += 4) count += data[at] > 0;
              return count;
            }"""
        )
    )


def test_images_have_layers_that_can_be_taken_off(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/runs/rich/media?kind=image")
    panel = page.locator(".panel.media").filter(has_text="examples")
    image = panel.locator("img").first
    expect(image).to_be_visible()
    page.wait_for_function("() => document.querySelector('.panel.media img')?.naturalWidth === 48")
    expect(panel.locator("svg.boxes rect")).to_have_count(1)
    page.wait_for_function("() => document.querySelector('canvas.mask')?.width === 48")
    page.wait_for_timeout(200)
    assert pixels(page) == 48 * 48  # what has no name is a class too

    panel.get_by_label("dog", exact=True).uncheck()
    page.wait_for_function("() => true")
    assert pixels(page) == 48 * 48 - 20 * 20
    panel.get_by_label("boxes found").uncheck()
    expect(panel.locator("svg.boxes rect")).to_have_count(0)
    panel.get_by_role("button", name=re.compile("^Enlarge")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("48 × 48")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_table_is_searched_filtered_sorted_and_opened(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/runs/rich/media?kind=table")
    panel = page.locator(".panel.media").filter(has_text="guesses").first
    grid = panel.get_by_role("grid", name="guesses")
    expect(grid).to_have_attribute("aria-rowcount", "41")
    expect(grid.locator("td img").first).to_be_visible()

    panel.get_by_role("searchbox").fill("dog")
    expect(panel.get_by_text("20 of 40 rows")).to_be_visible()
    panel.get_by_text("Filters").click()
    panel.get_by_label("id").fill("> 30")
    expect(panel.get_by_text("5 of 40 rows")).to_be_visible()
    grid.get_by_role("button", name="id").click()
    expect(grid.locator("tbody tr").first.locator("td").first).to_have_text("39")
    grid.get_by_role("button", name="id").click()
    expect(grid.locator("tbody tr").first.locator("td").first).to_have_text("31")
    grid.locator("tbody tr").first.dblclick()
    expect(page.get_by_role("dialog").get_by_text("dog")).to_be_visible()


def test_html_runs_as_nobody_and_sounds_and_histograms_are_there(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/runs/rich/media")
    frame = page.locator("iframe.logged-page").first
    frame.scroll_into_view_if_needed()
    expect(frame).to_have_attribute("sandbox", "allow-scripts")
    inside = page.frame_locator("iframe.logged-page").first
    expect(inside.get_by_text("said in HTML")).to_be_visible()
    other = next(one for one in page.frames if one != page.main_frame)
    assert other.evaluate("origin") == "null"

    sound = page.locator("audio").first
    sound.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('audio').duration === 1")
    bars = page.get_by_role("figure", name=re.compile("^Histogram weights: 500 values"))
    bars.scroll_into_view_if_needed()
    bars.focus()
    page.keyboard.press("ArrowRight")
    expect(bars.locator(".readout")).to_contain_text("%")


def test_a_slider_goes_back_through_the_steps(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/runs/rich/media?kind=histogram")
    panel = page.locator(".panel.media").first
    newest = panel.locator(".panel-head .quiet").inner_text()

    page.get_by_label("Step of all").focus()
    page.keyboard.press("Home")

    expect(panel.locator(".panel-head .quiet")).not_to_have_text(newest)
    expect(page).to_have_url(re.compile(r"[?&]step="))
    page.reload()
    settle(page)
    expect(panel.locator(".panel-head .quiet")).not_to_have_text(newest)


def test_artifacts_are_found_looked_into_and_followed(served: Serve, runs: Runs) -> None:
    place = served(runs.demo)
    page = place.open("/artifacts")
    expect(page.get_by_role("grid", name="Artifacts")).to_be_visible()
    expect(page.get_by_role("link", name="digits-data")).to_be_visible()
    page.get_by_role("searchbox", name="Search for artifacts").fill("try0")
    expect(page.get_by_role("link", name="digits-model")).to_have_count(0)
    page.get_by_role("link", name="digits-data").click()
    settle(page)

    versions = page.get_by_role("navigation", name="Versions")
    expect(versions.get_by_role("link")).to_have_count(2)
    versions.get_by_role("link", name=re.compile("^v0")).click()
    expect(page.get_by_role("heading", name="digits-data:v0")).to_be_visible()
    expect(page.get_by_text("Used by")).to_be_visible()
    page.get_by_role("button", name="Files").click()
    page.get_by_role("button", name="raw/").click()
    page.get_by_role("button", name="train.csv").click()
    expect(page.get_by_text("x,y 0,1")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save").click()
    assert download.value.path().read_text() == "x,y\n0,1\n"
    page.get_by_role("button", name="Changes").click()
    expect(page.get_by_text("0 new, 0 gone, 1 other")).to_be_visible()
    page.get_by_role("button", name="Lineage").click()
    graph = page.get_by_role("group", name=re.compile("^Lineage"))
    expect(graph.get_by_role("link", name=re.compile("one of everything"))).to_be_visible()
    graph.get_by_role("link", name=re.compile("one of everything")).first.click()
    settle(page)
    expect(page.get_by_role("region", name="Used")).to_contain_text("digits-data:v0")
