"""Charts that scripts log, as a user sees them: drawn, pointed at, stepped through, read aloud."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.data import Runs
from tests.browser.serving import Served, settle
from tests.browser.test_every_page import reading
from tests.dashboard.plotting import ANIMALS, outcomes

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Serve = Callable[[Path], Served]

#: What of a chart takes the keys.
FOCUSED = "figure.plot[tabindex], figure.plot [tabindex]"


def panel_of(page: Page, name: str) -> Locator:
    """Return the panel of a chart, in sight and drawn."""
    heading = page.get_by_role("heading", name=name, exact=True)
    panel = page.locator(".panel.media").filter(has=heading)
    panel.scroll_into_view_if_needed()
    expect(panel.locator(".plot svg").first).to_be_visible()
    return panel


def press(panel: Locator, *keys: str) -> Locator:
    """Press keys on a chart; return what it says then."""
    chart = panel.locator(FOCUSED)
    chart.focus()
    for key in keys:
        chart.press(key)
    return panel.locator(".readout")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (400, False)])
@pytest.mark.parametrize("run_id", ["plotted", "hostile"])
def test_every_chart_is_drawn_and_can_be_read(
    served: Serve, runs: Runs, run_id: str, width: int, dark: bool
) -> None:
    page = served(runs.plots).open(
        f"/runs/{run_id}/media", width=width, height=9000, dark=dark
    )  # so high that everything is in sight
    settle(page)

    drawn = page.locator(".panel.media:has(figure.plot)")
    expect(drawn).to_have_count(8 if run_id == "plotted" else 5)
    for number in range(drawn.count()):
        figure = drawn.nth(number).locator("figure.plot")
        label = drawn.nth(number).locator(FOCUSED).get_attribute("aria-label")
        assert "Arrow keys" in str(label)
        assert figure.locator("svg text").count() > 3
        box, outer = figure.locator("svg").bounding_box(), drawn.nth(number).bounding_box()
        assert box is not None
        assert outer is not None
        assert box["width"] <= outer["width"]
        assert "NaN" not in figure.inner_html()
        assert "Infinity" not in figure.inner_html()
    assert reading(page) == []


def test_a_confusion_matrix_says_what_its_cells_are(served: Serve, runs: Runs) -> None:
    page = served(runs.plots).open("/runs/plotted/media?kind=plot")
    truth, likely = outcomes(2)
    taken = likely.argmax(axis=1).tolist()
    panel = panel_of(page, "confusion")
    expect(panel.get_by_text("Who is taken for whom")).to_be_visible()

    said = press(panel, "ArrowRight", "ArrowRight")

    count = sum(t == 0 and p == 1 for t, p in zip(truth, taken, strict=True))
    share = f"{count / truth.count(0):.1%}".replace("%", " %")
    expect(said).to_have_text(f"cat taken for dog: {count} of {truth.count(0)} ({share})")
    cells = panel.locator(".plot-cell-text:not(.small)").all_text_contents()
    assert sum(map(int, cells)) == len(truth)
    assert len(cells) == len(ANIMALS) ** 2


def test_points_under_the_pointer_and_the_keys_are_said(served: Serve, runs: Runs) -> None:
    page = served(runs.plots).open("/runs/plotted/media?kind=plot")

    roc = panel_of(page, "roc")
    expect(roc.locator("path.plot-line")).to_have_count(len(ANIMALS))
    expect(roc.locator(".plot-chance")).to_have_count(1)
    expect(press(roc, "End")).to_contain_text("False positive rate 1")
    expect(roc.locator(".readout")).to_contain_text("horse 1")
    roc.get_by_role("button", name=re.compile("^cat")).click()
    expect(roc.locator("path.plot-line")).to_have_count(len(ANIMALS) - 1)
    expect(roc.get_by_role("button", name=re.compile("^cat"))).to_have_attribute(
        "aria-pressed", "false"
    )

    bars = panel_of(page, "eval/bar")
    box = bars.locator(".plot svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    expect(bars.locator(".readout")).to_have_text("cat: share -0.3")
    expect(press(bars, "ArrowDown", "ArrowDown")).to_have_text("horse: share 0.3")
    expect(press(panel_of(page, "eval/histogram"), "Home")).to_contain_text("%")
    expect(press(panel_of(page, "eval/scatter"), "Home")).to_contain_text("· row")
    expect(press(panel_of(page, "eval/series"), "Home")).to_contain_text("epoch 0")
    expect(press(panel_of(page, "eval/line"), "Home")).to_contain_text("sine 0")


def test_a_chart_is_enlarged_stepped_through_and_shown_as_its_table(
    served: Serve, runs: Runs
) -> None:
    page = served(runs.plots).open("/runs/plotted/media?kind=plot")
    panel = panel_of(page, "confusion")
    newest = panel.locator(".readout").inner_text()

    panel.get_by_role("button", name="Enlarge confusion").click()
    dialog = page.get_by_role("dialog", name="confusion")
    expect(dialog.locator("figure.plot svg")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    panel.get_by_role("button", name="Table of confusion").click()
    grid = panel.get_by_role("grid", name="confusion_table")
    expect(grid).to_have_attribute("aria-rowcount", str(len(ANIMALS) ** 2 + 1))
    panel.get_by_role("button", name="Hide table").click()
    expect(grid).to_have_count(0)

    panel.get_by_label("Step of confusion_table").focus()
    page.keyboard.press("Home")
    expect(panel.locator(".panel-head .quiet")).to_have_text("step 0")
    expect(panel.locator(".readout")).not_to_have_text(newest)


def test_what_is_not_drawn_is_a_table_that_says_so(served: Serve, runs: Runs) -> None:
    page = served(runs.plots).open("/runs/plotted/media", height=6000)
    settle(page)

    custom = page.locator(".panel.media").filter(has_text="custom_table")
    expect(custom.get_by_text("which is not drawn here: this is its table")).to_be_visible()
    expect(custom.get_by_role("grid")).to_have_attribute("aria-rowcount", "401")
    words = page.locator(".panel.media").filter(has_text="no numbers")
    expect(words.get_by_text("This chart cannot be drawn")).to_be_visible()
    joined = page.get_by_role("grid", name="joined")
    expect(joined.locator("tbody tr").nth(1)).to_contain_text("Grace")
    expect(joined.locator("tbody tr").nth(1)).to_contain_text("1 906")
    shards = page.locator(".panel.media").filter(has_text="3 parts of parts:v0")
    expect(shards.get_by_role("grid")).to_have_attribute("aria-rowcount", "31")
    expect(page.get_by_text("lie in the folder 'nowhere', and there are no")).to_be_visible()


def test_histograms_over_steps_are_a_picture_that_leads_to_a_step(
    served: Serve, runs: Runs
) -> None:
    page = served(runs.plots).open("/runs/plotted/media?kind=histogram")
    panel = page.locator(".panel.media").first
    canvas = panel.locator(".spread canvas")
    expect(canvas).to_be_visible()
    bars = panel.get_by_role("figure", name=re.compile("^Histogram weights"))
    before = bars.get_attribute("aria-label")

    canvas.focus()
    page.keyboard.press("Home")
    expect(panel.locator(".spread .readout")).to_contain_text("step 3")
    page.keyboard.press("Enter")

    expect(panel.locator(".panel-head .quiet")).to_have_text("step 3")
    expect(bars).not_to_have_attribute("aria-label", str(before))
    colours = canvas.evaluate(
        """(one) => {
          const { data } = one.getContext("2d").getImageData(0, 0, one.width, one.height);
          const seen = new Set();
          for (let at = 0; at < data.length; at += 4) seen.add(data.slice(at, at + 3).join());
          return seen.size;
        }"""
    )
    assert colours > 20
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + 40)
    expect(panel.locator(".panel-head .quiet")).to_have_text("step 42")


def test_a_table_that_only_an_artifact_holds_is_a_table(served: Serve, runs: Runs) -> None:
    page = served(runs.plots).open("/artifacts/parts/v0?part=files")
    page.get_by_role("button", name="seen.table.json").click()
    shown = page.get_by_role("region", name="Preview of seen.table.json")
    expect(shown.get_by_role("status")).to_have_text("4 rows")
    shown.get_by_role("button", name="score").click()
    expect(shown.locator(".cell-picture img").first).to_have_attribute("alt", "noise 0")
    drawn = shown.locator(".cell-picture img").first.evaluate("one => one.naturalWidth")
    assert drawn == 12  # its file came from the version, too
    shown.get_by_role("group", name="Filters").or_(shown.locator("summary")).first.click()
    shown.get_by_label("score").last.fill("> 0.3")
    expect(shown.get_by_role("status")).to_have_text("2 of 4 rows")
    assert reading(page) == []

    page.get_by_role("button", name="first.image-file.json").click()
    image = page.get_by_role("region", name="Preview of first.image-file.json")
    expect(image.locator("figcaption")).to_have_text("dark")
    page.get_by_role("button", name="whole.partitioned-table.json").click()
    whole = page.get_by_role("region", name="Preview of whole.partitioned-table.json")
    expect(whole.get_by_role("status")).to_have_text("30 rows")
    assert reading(page) == []
