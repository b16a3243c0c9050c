"""Diagnosis, layers and the model, as somebody looks for what went wrong in a training."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.data import Runs, environment
from tests.browser.serving import Served, settle, wait_until_asked

if TYPE_CHECKING:
    from playwright.sync_api import Page

_TRAIN = """
from pathlib import Path
from tests.dashboard.trained import train_dead_network
Path("dead-id").write_text(train_dead_network(Path.cwd()))
"""
_BARE = """
import os
os.environ.update(QUARK_REPORT="0", QUARK_LIVE_RULES="0")
from pathlib import Path
from quark import MetricsLogger, TrainingSession
with TrainingSession.start_run(project="unjudged", storage_dir=Path.cwd()) as session:
    with MetricsLogger(session) as metrics:
        for step in range(300):
            metrics.log("train/loss", 2.3 / (1 + step / 50), step=step)
            if step % 30 == 29:
                loss = 2.3 / (1 + min(step, 120) / 50) + step / 300
                metrics.log("val/loss", loss, step=step)
    Path("bare-id").write_text(session.run_id)
"""
_MANY = """
from pathlib import Path
from torch import nn
from quark import TrainingSession
from quark.hooks.architecture import log_architecture
block = lambda: nn.Sequential(*(nn.Linear(2, 2) for _ in range(19)))
with TrainingSession.start_run(project="large", storage_dir=Path.cwd()) as session:
    log_architecture(session, nn.Sequential(*(block() for _ in range(100))))
    Path("large-id").write_text(session.run_id)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("diagnosed")
    for program in (_TRAIN, _BARE, _MANY):
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=made,
            env=environment(made),
            check=True,
            timeout=300,
        )
    return made


def id_of(folder: Path, name: str) -> str:
    return (folder / f"{name}-id").read_text()


def has_no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_an_alert_shows_its_evidence_and_leads_to_the_layer(
    served: Callable[[Path], Served], folder: Path
) -> None:
    place = served(folder)
    page = place.open(f"/runs/{id_of(folder, 'dead')}/diagnosis")

    alert = page.locator("details.dg-alert", has_text="Activations have collapsed").first
    alert.get_by_text("Observed.").wait_for()
    alert.get_by_text("To try").wait_for()
    chart = alert.locator(".dg-evidence .panel").first
    chart.locator("canvas").wait_for()
    expect(chart).to_contain_text("Observed 1, the limit is 0.98")
    alert.get_by_text("How this is judged, and when it is a false alarm").click()
    alert.get_by_text("Lu et al.").first.wait_for()
    expect(page.locator(".health-bar")).to_have_count(4)
    expect(page.locator(".health-overall b")).to_have_text(re.compile(r"^\d\d?$"))
    expect(page.locator(".dg-phases li").first).to_be_visible()
    page.get_by_role("heading", name="Data and machine").scroll_into_view_if_needed()
    page.get_by_text("nothing is lost").wait_for()

    alert.get_by_role("link", name="3 (ReLU): dead units").click()
    page.get_by_text("Layer 4 of 5").wait_for()
    settle(page)
    page.get_by_role("heading", name="Dead units").wait_for()
    page.get_by_role("link", name="‹ 2").click()
    page.get_by_role("heading", name="Values of 2.weight over the steps").wait_for()
    page.locator(".spread-over canvas").first.wait_for()
    picture = page.locator(".spread-over canvas").first
    picture.focus()
    picture.press("End")
    page.get_by_text(re.compile(r"step 46 · median")).first.wait_for()
    page.get_by_role("button", name="As ridges").first.click()
    wait_until_asked(page, spread=["ridges"])
    assert has_no_sideways_scroll(page)


def test_the_picture_of_all_layers_is_walked_by_keys_sorted_and_zoomed(
    served: Callable[[Path], Served], folder: Path
) -> None:
    place = served(folder)
    page = place.open(f"/runs/{id_of(folder, 'dead')}/layers")
    said = page.locator(".heat-said")

    page.get_by_label("Show").select_option("dead_units")
    page.get_by_label("Sort by").select_option("worst")
    page.locator(".heat-names li").first.get_by_role("link", name="3", exact=True).wait_for()
    canvas = page.locator(".heat canvas")
    canvas.focus()
    expect(said).to_have_text("3 (ReLU) · step 0 · dead units: 1")
    canvas.press("ArrowRight")
    expect(said).to_contain_text("step 2 ")
    canvas.press("ArrowDown")
    expect(said).not_to_contain_text("3 (ReLU)")
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 8, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="All steps").wait_for()
    expect(page).to_have_url(re.compile("from="))
    wait_until_asked(page, measure=["dead_units"])
    page.get_by_label("Search layers").fill("Linear")
    expect(page.locator(".heat-names li")).to_have_count(3)
    page.get_by_label("Search layers").fill("nothing of the sort")
    page.get_by_text("No layer is called that.").wait_for()
    page.get_by_label("Search layers").fill("")
    expect(page.locator(".heat-names li")).to_have_count(5)
    canvas.focus()
    canvas.press("Enter")
    page.get_by_text(re.compile(r"Layer \d of 5")).wait_for()


def test_a_run_that_was_never_judged_is_judged_from_its_page(
    served: Callable[[Path], Served], folder: Path
) -> None:
    place = served(folder)
    page = place.open(f"/runs/{id_of(folder, 'bare')}/diagnosis", width=400, dark=True)

    page.get_by_text("This run was not judged yet.").wait_for()
    page.get_by_role("button", name="Judge now").click()
    page.get_by_text(re.compile("Judged just now: [1-9]")).wait_for(timeout=60_000)
    page.locator("details.dg-alert").first.wait_for()
    assert has_no_sideways_scroll(page)


@pytest.mark.parametrize("width", [1280, 400])
def test_a_model_of_two_thousand_modules_is_a_tree(
    served: Callable[[Path], Served], folder: Path, width: int
) -> None:
    place = served(folder)
    page = place.open(f"/runs/{id_of(folder, 'large')}/model", width=width)
    tree = page.get_by_role("tree")

    page.get_by_role("button", name="Open all").click()
    page.get_by_text("2 001 of 2 001 lines").wait_for()
    assert page.get_by_role("treeitem").count() < 120
    tree.focus()
    tree.press("End")
    page.get_by_role("treeitem", name=re.compile("^18")).last.wait_for()
    tree.press("ArrowLeft")
    tree.press("ArrowLeft")
    page.get_by_text("1 982 of 2 001 lines").wait_for()
    page.get_by_label("Search modules").fill("57.3")
    page.get_by_text("1 found").wait_for()
    expect(page.get_by_role("treeitem")).to_have_count(3)
    page.get_by_label("Search modules").fill("zzz")
    page.get_by_text("No module is called that.").wait_for()
    assert has_no_sideways_scroll(page)


def test_runs_without_layers_say_what_would_fill_the_place(
    served: Callable[[Path], Served], runs: Runs
) -> None:
    place = served(runs.bare)
    page = place.open("/runs/bare/layers")
    page.get_by_text("Nothing was measured of this run's layers.").wait_for()
    place.go(page, "/runs/bare/model")
    page.get_by_text("This run has no model.").wait_for()
    place.go(page, "/runs/bare/diagnosis")
    page.get_by_role("button", name="Judge now").wait_for()
