"""A run's page: its charts, what it is, what the machine did, what it wrote, what happened."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from quark.storage.embedded import EmbeddedStore
from quark.storage.model import EncodedRecord, StepRange
from tests.browser.data import Runs
from tests.browser.serving import Served
from tests.storage.building import batch, create_run, record

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Serve = Callable[[Path], Served]


def panel(page: Page, metric: str) -> Locator:
    """Return the chart of a metric, drawn."""
    found = page.locator(f'[data-metric="{metric}"]')
    found.scroll_into_view_if_needed()
    expect(found.locator("canvas")).to_be_visible()
    return found


def drag(page: Page, chart: Locator, start: float, end: float) -> None:
    """Draw a range over a part of a chart's width."""
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, middle + 5, steps=5)
    page.mouse.up()


def test_charts_can_be_searched_zoomed_along_all_and_taken_along(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/runs/digits")
    loss = panel(page, "train/loss")

    # The axis of the validation is what define_metric said, so a zoom in steps leaves it alone.
    drag(page, loss, 0.25, 0.5)
    expect(page).to_have_url(re.compile(r"zoom=step%3A[\d.]+%3A[\d.]+"))
    everything = page.get_by_role("button", name="Show everything")
    expect(everything).to_be_visible()
    accuracy = panel(page, "train/accuracy")
    accuracy.locator(".chart").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    said = accuracy.locator(".readout")
    expect(said).to_contain_text(re.compile(r"\d"))
    first = int(said.locator("span").first.inner_text())
    zoomed = re.search(r"zoom=step%3A([\d.]+)%3A([\d.]+)", page.url)
    assert zoomed is not None
    assert float(zoomed[1]) - 5 <= first <= float(zoomed[2])
    page.keyboard.press("0")
    expect(everything).to_have_count(0)
    page.go_back()  # each zoom is a page of its own for the browser
    expect(everything).to_be_visible()
    page.go_back()
    expect(everything).to_have_count(0)
    expect(page).to_have_url(re.compile("/runs/digits$"))
    page.mouse.move(2, 2)
    page.reload()
    expect(loss.locator(".readout")).to_have_text(re.compile(r"^step +last [\d.]+ at \d+"))

    page.get_by_label("Search metrics").fill("val acc")
    expect(page.locator("[data-metric]")).to_have_count(1)
    expect(page).to_have_url(re.compile("q=val"))
    page.reload()
    expect(page.get_by_label("Search metrics")).to_have_value("val acc")
    page.get_by_label("Search metrics").fill("no such metric")
    expect(page.locator("main")).to_contain_text("No metric fits.")
    page.get_by_label("Search metrics").fill("")

    page.get_by_label("Along").select_option("elapsed")
    page.get_by_label("log y").check()
    page.locator("input[type=range]").fill("0.9")
    expect(page).to_have_url(re.compile("smooth=0.9"))
    expect(page).to_have_url(re.compile("x=elapsed.*log=y|log=y.*x=elapsed"))
    loss = panel(page, "train/loss")
    loss.locator(".chart").focus()
    page.keyboard.press("End")
    expect(loss.locator(".readout")).to_contain_text("raw")

    loss.locator("summary").click()
    with page.expect_download() as download:
        loss.get_by_role("button", name="Save as CSV").click()
    text = Path(download.value.path()).read_text()
    assert text.startswith("time since the start,train/loss\n")
    assert len(text.splitlines()) > 50
    loss.locator("summary").click()
    with page.expect_download() as download:
        loss.get_by_role("button", name="Save as PNG").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")

    page.get_by_role("button", name="Enlarge train/loss").click()
    large = page.get_by_role("dialog", name="train/loss")
    expect(large.locator("canvas")).to_be_visible()
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    section = page.get_by_role("button", name=re.compile(r"^train \d"))
    section.click()
    expect(page.locator('[data-metric="train/loss"]')).to_have_count(0)
    expect(page).to_have_url(re.compile("closed=train"))


def test_an_axis_says_its_numbers_however_far_it_goes(served: Serve, runs: Runs) -> None:
    place = served(runs.extreme)
    page = place.open("/runs/extreme")
    for query in ("", "?log=y"):
        place.go(page, f"/runs/extreme{query}")
        for metric in ("extreme/from end to end", "extreme/as large as can be"):
            drawn = panel(page, metric).locator("canvas")
            left = """one => {
                const pen = one.getContext("2d");
                const ink = pen.getImageData(0, 0, 28 * devicePixelRatio, one.height).data;
                return ink.filter((_, place) => place % 4 === 3 && ink[place] > 0).length;
            }"""
            expect(panel(page, metric).locator(".readout")).to_contain_text("step")
            assert drawn.evaluate(left) > 20, (metric, query)


def test_a_narrow_window_shows_which_tab_is_open(served: Serve, runs: Runs) -> None:
    place = served(runs.demo)
    page = place.open("/runs/rich/events", width=400)
    tab = page.get_by_role("navigation", name="Parts of the run").locator("[aria-current]")
    expect(tab).to_have_text("Events")
    expect(page).to_have_title("one of everything · events · Quark")
    box = tab.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 400
    what = page.locator("tr", has_text="run_ended").locator("td.what").bounding_box()
    assert what is not None
    assert what["x"] + what["width"] <= 400
    place.go(page, "/runs/rich")
    expect(page).to_have_title("one of everything · Quark")


def test_an_alert_on_the_loss_leads_to_what_is_known_of_it(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/runs/broken")
    panel(page, "train/loss")
    mark = page.locator("a.mark").first

    expect(mark).to_have_attribute("aria-label", re.compile(r"^(critical|error|warning|info): "))
    mark.click()

    expect(page).to_have_url(re.compile("/runs/broken/diagnosis/"))


def test_a_zoom_into_a_million_points_shows_them_as_they_are(served: Serve, runs: Runs) -> None:
    store = EmbeddedStore(runs.long / ".quark")
    exact = store.points.series("long", "loss", StepRange(step_min=500_000, step_max=500_200))
    store.close()
    page = served(runs.long).open("/runs/long?zoom=step:500000:500200")
    loss = panel(page, "loss")

    loss.locator(".chart").focus()
    page.keyboard.press("Home")
    for _ in range(11):
        page.keyboard.press("ArrowRight")

    where, value = (loss.locator(".readout span").nth(place).inner_text() for place in range(2))
    expected = dict(zip(exact.step.tolist(), exact.value.tolist(), strict=True))
    assert float(value) == float(f"{expected[int(where.replace(' ', ''))]:.5g}")


def test_the_overview_is_searched_and_its_words_are_changed(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/runs/digits/overview")
    config = page.get_by_role("region", name="Config")
    expect(config).to_contain_text("batch_size")
    config.get_by_label("Search config").fill("dropout")
    expect(config).not_to_contain_text("batch_size")
    expect(config).to_contain_text("model")
    expect(page.get_by_role("region", name="Code and machine")).to_contain_text("wandb_digits.py")
    expect(page.get_by_role("region", name="Summary")).to_contain_text("val/accuracy")
    expect(page.get_by_role("region", name="Files")).to_contain_text("config.yaml")

    words = page.get_by_role("region", name="Words")
    words.get_by_label("Change notes").click()
    words.get_by_label("Notes").fill("<i>as it should</i>\nsecond line")
    words.get_by_role("button", name="Save").click()
    expect(words.locator(".notes")).to_have_text("<i>as it should</i>\nsecond line")
    words.get_by_label("New tag").fill("looked-at")
    words.get_by_label("New tag").press("Enter")
    expect(words.get_by_label("Remove tag looked-at")).to_be_visible()
    expect(page.locator(".head")).to_contain_text("looked-at")
    words.get_by_label("Remove tag looked-at").click()
    expect(words.get_by_label("Remove tag looked-at")).to_have_count(0)


def test_a_hundred_thousand_lines_are_searched_and_followed(served: Serve, tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / ".quark")
    create_run(store, status="running")
    store.append(batch(1, 100_000, *(_line(number) for number in range(1, 100_001))))
    page = served(tmp_path).open("/runs/run-1/logs")

    # A run that goes on is followed to its end.
    expect(page.locator(".line", has_text="line 100000")).to_be_visible()
    assert page.locator(".line").count() < 200
    expect(page.get_by_label("follow")).to_be_checked()
    store.append(batch(100_001, 100_001, _line(100_001)))
    expect(page.locator(".line", has_text="line 100001")).to_be_visible()

    page.get_by_role("group", name="Severity").get_by_role("button", name="warning").click()
    expect(page.locator("main")).to_contain_text("100 of 100 001 lines")
    colored = page.locator(".line .ansi-yellow").first
    expect(colored).to_have_text("WARNING")
    page.get_by_label("Search the log").fill("line 7000 ")
    expect(page.locator(".line")).to_have_count(1)
    expect(page.locator(".line mark")).to_have_text("line 7000 ")
    page.locator(".line").click()
    expect(page.get_by_role("region", name="The chosen line")).to_contain_text("<b>7000</b>")
    page.get_by_label("Search the log").fill("nobody wrote this")
    expect(page.locator("main")).to_contain_text("No line fits.")
    store.close()


def _line(number: int) -> EncodedRecord:
    word = "\x1b[33mWARNING\x1b[0m " if number % 1000 == 0 else ""
    text = f"{word}line {number} <b>{number}</b>"
    return record(number, "console_line", stream="stdout", text=text)


def test_events_and_the_machine(served: Serve, runs: Runs) -> None:
    place = served(runs.demo)
    page = place.open("/runs/digits/events")
    page.get_by_role("button", name=re.compile("^run_ended")).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="run_ended").click()
    expect(page.get_by_role("region", name="The chosen event")).to_contain_text("completed")
    expect(page).to_have_url(re.compile(r"/events/.+type=run_ended"))

    place.go(page, "/runs/digits/system")
    expect(page.get_by_role("heading", name="Use of the processor")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Processors")
    memory = panel(page, "system/ram/used_bytes")
    memory.locator(".chart").focus()
    page.keyboard.press("Home")
    expect(memory.locator(".readout")).to_contain_text(re.compile(r"\d [GM]B"))
