"""Comparing runs, as a user does it: choosing, drawing, reading what differs, following a sweep."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.data import Runs
from tests.browser.serving import Served, asked, settle, wait_until_asked

Serve = Callable[[Path], Served]


def test_runs_are_chosen_drawn_hidden_and_left_out(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/compare")
    search = page.get_by_role("combobox", name="Search for runs")

    search.fill("digits")
    options = page.get_by_role("option")
    expect(options.first).to_be_visible()
    page.get_by_role("option", name=re.compile("digits")).first.click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    expect(page).to_have_url(re.compile(r"[?&]run=\w+$"))
    page.goto(re.sub(r"\?.*", "?run=digits&run=broken", page.url))
    settle(page)

    legend = page.get_by_role("region", name="Runs of the comparison")
    swatches = legend.get_by_role("button", name=re.compile("^Draw "))
    expect(swatches).to_have_count(3)  # two runs, and all of them
    expect(page.locator("figure.chart").first).to_be_visible()
    chart = page.locator("figure.chart").first
    expect(chart).to_have_attribute("aria-label", re.compile(r"2 (series|lines)"))
    swatches.first.click()
    wait_until_asked(page, hide=["digits"])
    expect(page.locator("figure.chart").first).not_to_have_attribute(
        "aria-label", re.compile(r"2 (series|lines)")
    )
    page.go_back()
    page.goto(re.sub(r"\?.*", "?run=digits&run=broken&run=nowhere", page.url))
    settle(page)
    expect(page.get_by_text("One run is not here any more: nowhere")).to_be_visible()
    page.get_by_role("button", name="Leave out", exact=True).click()
    wait_until_asked(page, run=["digits", "broken"])


def test_the_pointer_tells_every_run_the_nearest_in_bold(served: Serve, runs: Runs) -> None:
    place = served(runs.many)
    chosen = "&".join(f"run=run{number:05}" for number in range(3))
    page = place.open(f"/compare?{chosen}&smooth=0.5")
    chart = page.locator("figure.chart").first
    expect(chart.locator(".readout")).to_have_text(re.compile("^step"))
    over = chart.locator(".u-over")
    box = over.bounding_box()
    assert box is not None

    tip = chart.locator(".tip")
    for share in (0.1, 0.9):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + 5)
        expect(tip.locator("div").first).to_have_text(re.compile(r"^step \d+$"))
        told = tip.locator("div:not(:first-child)")
        expect(told).to_have_count(3)
        values = [float(one) for one in told.locator("b").all_inner_texts()]
        assert values == sorted(values, reverse=True)
        expect(tip.locator(".near")).to_have_count(1)
        expect(told.first).to_have_class("near")  # the pointer is at the top
    page.mouse.move(2, 2)
    expect(tip).to_have_count(0)

    # Of many runs those that are near are told; along another metric, which the address keeps.
    chosen = "&".join(f"run=run{number:05}" for number in range(40))
    place.go(page, f"/compare?{chosen}")
    over.hover()
    expect(tip.locator("div").first).to_contain_text("14 of 40, the nearest")
    expect(tip.locator("div:not(:first-child)")).to_have_count(14)
    page.get_by_label("Along").select_option("key:loss")
    wait_until_asked(page, x=["key:loss"])
    expect(chart.locator(".readout")).to_have_text(re.compile("^loss"))
    page.mouse.move(2, 2)
    page.go_back()
    expect(chart.locator(".readout")).to_have_text(re.compile("^step"))


def test_what_differs_comes_first_and_is_marked(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/compare?run=digits&run=broken&show=setups")

    config = page.get_by_role("region", name="Config")
    rows = config.locator("tbody tr")
    expect(rows.first).to_be_visible()
    differs = [row.locator(".other").count() > 0 for row in rows.all()]
    assert any(differs)
    assert differs == sorted(differs, reverse=True)
    page.get_by_label("only what differs").check()
    expect(rows).to_have_count(sum(differs))
    page.get_by_role("searchbox", name="Search for keys").fill("no such key")
    expect(config.get_by_text("Nothing fits.")).to_be_visible()


def test_a_run_is_held_against_another_and_a_target_says_when(served: Serve, runs: Runs) -> None:
    page = served(runs.demo).open("/compare?run=digits&run=broken&show=differences")
    expect(page.get_by_role("grid", name="Differences of metrics")).to_be_visible()
    alerts = page.get_by_role("region", name="Alerts")
    expect(alerts.locator("tbody tr").first).to_be_visible()
    metric = page.get_by_role("grid", name="Differences of metrics").locator("td .mono").first
    key = metric.inner_text()

    page.get_by_label("Metric", exact=True).fill(key)
    page.get_by_label("At most or at least").select_option(">=")
    page.get_by_label("Value", exact=True).fill("-1e9")
    page.get_by_role("button", name="Find the steps").click()

    target = page.get_by_role("region", name="Time to target")
    expect(target.get_by_role("rowheader", name=re.compile(re.escape(key)))).to_be_visible()
    wait_until_asked(page, target=[f"{key}>=-1000000000"])
    page.get_by_role("button", name=re.compile("^Hold the others against")).nth(1).click()
    settle(page)
    wait_until_asked(page, reference=["broken"])
    expect(page.get_by_role("columnheader", name=re.compile("★")).first).to_be_visible()


def test_a_sweep_is_followed_through_its_settings(served: Serve, runs: Runs) -> None:
    chosen = "&".join(f"run=run{number:05}" for number in range(40))
    page = served(runs.many).open(f"/compare?{chosen}&show=parallel")
    picture = page.get_by_role("group", name=re.compile("^Parallel coordinates of 40 runs"))
    expect(picture).to_be_visible()
    grip = page.locator(".grip").first
    box = grip.bounding_box()
    assert box is not None

    x, top, tall = box["x"] + box["width"] / 2, box["y"], box["height"]
    page.mouse.move(x, top + tall * 0.1)
    page.mouse.down()
    page.mouse.move(x, top + tall * 0.5, steps=4)
    page.mouse.up()

    expect(page.get_by_text(re.compile(r"^\d+ of 40 runs go through all ranges"))).to_be_visible()
    (brush,) = asked(page)["brush"]
    kept = int(page.locator(".parallel > .readout").inner_text().split()[0])
    assert 0 < kept < 40
    page.reload()
    settle(page)
    expect(page.get_by_text(f"{kept} of 40 runs go through")).to_be_visible()  # it is linked to
    page.get_by_text("Ranges by the keys").click()
    fields = page.get_by_role("group", name=brush.partition("~")[0], exact=True)
    expect(fields.get_by_label("from")).not_to_have_value("")
    page.get_by_role("button", name="Forget the ranges").click()
    expect(page.get_by_text(re.compile("^40 of 40 runs"))).to_be_visible()


def test_everything_fits_a_narrow_window_in_the_dark(served: Serve, runs: Runs) -> None:
    place = served(runs.demo)
    page = place.open("/compare?run=digits&run=broken", width=400, dark=True)
    for part in ("charts", "setups", "differences", "parallel"):
        place.go(page, f"/compare?run=digits&run=broken&show={part}")
        over = page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0, part
