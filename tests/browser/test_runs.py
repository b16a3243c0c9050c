"""The table of runs as who trains uses it: finds, sorts, groups, selects, tags, puts away, deletes,
and sees what changes meanwhile."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from quark.clock import SYSTEM_CLOCK
from quark.storage.embedded import EmbeddedStore
from tests.browser import axe
from tests.browser.data import MANY_RUNS, Runs
from tests.browser.serving import Served, asked, settle, wait_until_asked
from tests.dashboard.some_runs import HOSTILE, fill, runs_given
from tests.storage.building import batch, create_run, log, losses, record

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Serve = Callable[[Path], Served]

#: What changes elsewhere is seen after some seconds; a busy machine takes longer.
_SOON_MS = 80_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of thirty runs that a test may change."""
    store = EmbeddedStore(tmp_path / ".quark")
    fill(store, runs_given())
    store.close()
    return tmp_path


def names(page: Page) -> list[str]:
    """The runs in sight, from the top."""
    found: list[str] = page.locator("tbody .runname a").all_inner_texts()
    return found


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def test_runs_are_found_sorted_and_grouped_and_the_address_says_so(
    served: Serve, folder: Path
) -> None:
    page = served(folder).open("/runs")
    status = page.locator(".runshead")
    expect(status).to_contain_text("29 runs")
    assert names(page)[:2] == ["trial 29", "trial 28"]

    # Search as one types: half a filter says what is missing and takes nothing away.
    search = page.get_by_role("searchbox", name="Search runs")
    search.fill("config.lr <")
    expect(page.get_by_role("alert")).to_contain_text("a value must follow")
    assert len(names(page)) > 10
    search.fill("config.lr < 0.01 status:failed")
    expect(status).to_contain_text("4 of 29 runs")
    expect(page.get_by_role("alert")).to_have_count(0)
    wait_until_asked(page, q=["config.lr < 0.01 status:failed"])
    search.fill("")
    expect(status).not_to_contain_text("of 29")

    # A filter by its parts.
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_label("Field", exact=True).fill("summary.val/loss")
    page.get_by_label("How").select_option("<=")
    page.get_by_label("Value", exact=True).fill("0.3")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(status).to_contain_text("4 of 29 runs")
    page.get_by_role("columnheader", name="val/loss").get_by_role("button").click()
    page.get_by_role("columnheader", name="val/loss").get_by_role("button").click()
    expect(page.locator("tbody .runname a").first).to_have_text("trial 0")
    assert names(page) == ["trial 0", "trial 1", "trial 2", "trial 3"]
    wait_until_asked(page, f=["summary.val/loss <= 0.3"], sort=["summary.val/loss"])
    page.reload()
    settle(page)
    assert names(page) == ["trial 0", "trial 1", "trial 2", "trial 3"]
    page.go_back()
    head = page.get_by_role("columnheader", name="val/loss").last
    expect(head).to_have_attribute("aria-sort", "descending")
    page.go_forward()
    expect(page.locator("tbody .runname a").first).to_have_text("trial 0")
    page.get_by_role("button", name="Remove the filter summary.val/loss <= 0.3").click()
    expect(status).not_to_contain_text("of 29")

    # Groups, with what sums them up.
    page.get_by_role("button", name="Group", exact=True).click()
    page.get_by_role("button", name="config.optimizer.name").click()
    page.keyboard.press("Escape")
    table = page.get_by_role("treegrid", name="Runs")
    expect(table.locator(".grouprow")).to_have_count(2)
    sgd = table.get_by_role("row", expanded=False).filter(has_text="sgd")
    expect(sgd).to_contain_text("14 runs")
    mean = sum(n / 10 for n in range(0, 30, 2) if n not in (12, 20)) / 13
    expect(sgd).to_contain_text(f"{mean:.4g}")
    sgd.get_by_role("button", name="Open the group").click()
    expect(table.get_by_role("row", expanded=True)).to_have_count(1)
    expect(page.locator("tbody .runname a")).to_have_count(14)
    wait_until_asked(page, open=['["sgd"]'])

    # What runs are called is text.
    search.fill("onerror")
    page.goto(page.url.split("?")[0])
    search.fill("onerror")
    expect(page.locator("tbody .runname a")).to_have_count(1)
    assert page.locator("tbody .runname a").text_content() == HOSTILE
    search.fill("nothing is like this")
    page.get_by_role("button", name="Show all 29 runs").click()
    expect(page.locator("tbody .runname a").first).to_have_text("trial 29")
    expect(page).to_have_url(re.compile("/runs$"))


def test_columns_are_chosen_and_downloaded(served: Serve, folder: Path, tmp_path: Path) -> None:
    page = served(folder).open("/runs?project=vision&sort=name")
    heads = page.get_by_role("columnheader")
    expect(heads.filter(has_text="my key")).to_have_count(0)

    page.get_by_role("button", name="Columns").click()
    page.get_by_role("searchbox", name="Search columns").fill("my")
    choose = page.get_by_role("group", name="Choose columns")
    choose.get_by_role("button", name="my key", exact=True).click()
    expect(heads.filter(has_text="my key")).to_have_count(1)
    choose.get_by_role("button", name="Hide status").click()
    choose.get_by_role("button", name="Move config.my key to the left").click()
    page.keyboard.press("Escape")
    expect(heads.filter(has_text="Status")).to_have_count(0)
    assert asked(page)["column"][-2] == "config.my key"

    page.get_by_role("button", name="Download").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="CSV of these columns").click()
    download.value.save_as(tmp_path / "runs.csv")
    with open(tmp_path / "runs.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    shown = [run for run in runs_given() if run["project"] == "vision"]
    assert len(rows) == len(shown) - 1, "the archived one is not shown"
    assert set(rows[0]) == {"id", "name", *asked(page)["column"]}


def test_selected_runs_are_tagged_put_away_compared_and_deleted(
    served: Serve, folder: Path
) -> None:
    place = served(folder)
    page = place.open("/runs?sort=created")
    table = page.get_by_role("grid", name="Runs")
    selected = page.get_by_role("region", name="Selected runs")

    # By keys alone: three runs, then a tag.
    table.focus()
    for key in ("ArrowDown", "ArrowDown", "Space", "Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect(selected).to_contain_text("3 selected")
    expect(page.get_by_role("row", selected=True)).to_have_count(3)
    selected.get_by_role("button", name="Tags…").click()
    page.get_by_label("Add, with commas between").fill("best, <i>odd</i>")
    page.get_by_label("seed1").check()
    page.get_by_role("button", name="Save").click()
    expect(row(page, "trial 2").get_by_role("button", name="<i>odd</i>")).to_be_visible()
    store = EmbeddedStore(folder / ".quark")
    tags = {number: store.records.get_run(f"run-{number}").tags for number in range(1, 5)}
    assert tags[1] == ("best", "<i>odd</i>")
    assert tags[2] == ("seed2", "best", "<i>odd</i>")
    assert "best" not in tags[4]

    # Put away, and taken back.
    selected.get_by_role("button", name="Archive", exact=True).click()
    expect(page.locator(".runshead")).to_contain_text("26 runs")
    expect(row(page, "trial 2")).to_have_count(0)
    selected.get_by_role("button", name="Undo").click()
    expect(page.locator(".runshead")).to_contain_text("29 runs")
    page.get_by_label("Archived runs").select_option("only")
    expect(page.locator("tbody .runname a")).to_have_text(["trial 20"])
    page.get_by_label("Archived runs").select_option("hide")
    selected.get_by_role("button", name="Clear").click()

    # Compared.
    row(page, "trial 0").get_by_role("checkbox").click()
    row(page, "trial 3").get_by_role("checkbox").click(modifiers=["Shift"])
    expect(selected).to_contain_text("4 selected")
    selected.get_by_role("button", name="Compare").click()
    wait_until_asked(page, run=["run-0", "run-1", "run-2", "run-3"])
    page.go_back()
    settle(page)
    expect(selected).to_contain_text("4 selected")  # who comes back goes on with them
    expect(page.get_by_role("row", selected=True)).to_have_count(4)
    selected.get_by_role("button", name="Clear").click()

    # Deleted, but not the ones that go on, nor by one key too many.
    search = page.get_by_role("searchbox", name="Search runs")
    search.fill("status:failed,running tag:seed2")
    expect(page.locator(".runshead")).to_contain_text("of 29")
    page.get_by_label("Select all").check()
    ids = [
        run["id"]
        for run in runs_given()
        if run["status"] in ("failed", "running") and "seed2" in run["tags"]
    ]
    expect(selected).to_contain_text(f"{len(ids)} selected")
    selected.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("dialog")).to_contain_text("cannot be brought back")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    search.fill("status:failed tag:seed2")
    failed = [
        run["id"] for run in runs_given() if run["status"] == "failed" and "seed2" in run["tags"]
    ]
    expect(page.locator(".runshead")).to_contain_text(f"{len(failed)} of 29")
    selected.get_by_role("button", name="Clear").click()
    page.get_by_label("Select all").check()
    selected.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("main")).to_contain_text(f"Deleted {len(failed)} run")
    assert not {run.id for run in store.records.list_runs()} & set(failed)
    store.close()


def test_new_runs_and_statuses_appear_by_themselves(served: Serve, folder: Path) -> None:
    page = served(folder).open("/runs")
    store = EmbeddedStore(folder / ".quark")

    create_run(store, "fresh", name="just begun", time_us=SYSTEM_CLOCK.time_us())
    log(store, losses(1, [3.0, 2.0, 1.25], key="val/loss"), run_id="fresh")
    first = page.get_by_role("row").nth(1)
    expect(first).to_contain_text("just begun", timeout=_SOON_MS)
    expect(first).to_contain_text("running", timeout=_SOON_MS)
    expect(first).to_contain_text("1.25", timeout=_SOON_MS)
    expect(first.get_by_role("img")).to_have_attribute(
        "aria-label", "val/loss: from 3 to 1.25", timeout=_SOON_MS
    )
    log(store, losses(4, [0.5], key="val/loss"), run_id="fresh")
    expect(first).to_contain_text("0.5", timeout=_SOON_MS)
    end = {"status": "failed", "ended_at": "2030-01-01T00:00:00Z"}
    store.append(batch(1, 1, record(1, "run_update", changes=end), run_id="fresh", writer_id="e"))
    expect(first).to_contain_text("failed", timeout=_SOON_MS)
    store.records.delete_run("fresh")
    expect(page.locator("main")).not_to_contain_text("just begun", timeout=_SOON_MS)
    store.close()


def test_5000_runs_are_scrolled_through_and_selected(served: Serve, runs: Runs) -> None:
    page = served(runs.many).open("/runs")
    table = page.get_by_role("grid", name="Runs")
    expect(table).to_have_attribute("aria-rowcount", str(MANY_RUNS + 1))
    assert names(page)[0] == f"trial-{MANY_RUNS - 1}"

    table.focus()
    page.keyboard.press("End")
    expect(row(page, "trial-0000")).to_be_visible()
    assert page.locator("tbody tr").count() < 80
    page.locator(".tablebox").evaluate("one => { one.scrollTop = one.scrollHeight / 2 }")
    expect(page.locator("tbody .runname a").first).to_have_text(re.compile(r"trial-2[45]\d\d"))
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+End")
    selected = page.get_by_role("region", name="Selected runs")
    expect(selected).to_contain_text("5 000 selected")
    expect(selected.get_by_role("button", name="Compare")).to_be_disabled()
    selected.get_by_role("button", name="Delete…").click()
    sure = page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True)
    expect(sure).to_be_disabled()
    page.get_by_label("Type 5000 to go on").fill("500")
    expect(sure).to_be_disabled()
    page.keyboard.press("Escape")
    selected.get_by_role("button", name="Clear").click()
    page.keyboard.press("Escape")
    table.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/ui/runs/run04999"))


def test_everybody_can_use_the_table_and_what_opens_over_it(served: Serve, folder: Path) -> None:
    for width, dark in ((1280, False), (400, True)):
        page = served(folder).open(
            "/runs?group=status&open=%5B%22failed%22%5D", width=width, dark=dark
        )
        row(page, "trial 1").get_by_role("checkbox").click()
        for button in ("Filter", "Columns", "Tags…", "Delete…"):
            page.get_by_role("button", name=button, exact=True).click()
            page.wait_for_function("() => !document.querySelector('.spinner')")
            assert axe.findings(page) == [], (width, button)
            page.keyboard.press("Escape")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
