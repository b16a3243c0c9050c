"""Runs that hold more than anybody looks at: pages show a part, soon, and say that it is one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.data import environment
from tests.browser.serving import Served, settle

Serve = Callable[[Path], Served]

_KEYS = 20_000
_TRAINING = f"""
import quark.compat.wandb as wandb

for name in ("first", "second"):
    run = wandb.init(id=name, project="many", config={{f"c{{i}}": i for i in range(2000)}})
    for step in range(2):
        run.log({{f"part{{i % 50}}/k{{i}}": float(i + step) for i in range({_KEYS})}})
    run.finish()
"""
#: A page of 20,000 charts would be 100,000 elements, and twice as many nodes.
_MAX_NODES = 15_000


def test_a_run_of_very_many_metrics_is_shown_a_part_at_a_time(
    served: Serve, tmp_path: Path, figures: list[str]
) -> None:
    command = [sys.executable, "-c", _TRAINING]
    subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), check=True)
    place = served(tmp_path)
    page = place.open("/runs")

    def shown(path: str) -> int:
        begun = time.perf_counter()
        place.go(page, path)
        expect(page.locator(".panel, .tree").first).to_be_visible()
        seconds = time.perf_counter() - begun
        nodes: int = page.evaluate("document.getElementsByTagName('*').length")
        figures.append(f"{_KEYS} metrics, {path}: {seconds:.2f} s, {nodes} elements")
        return nodes

    assert shown("/runs/first/overview") < _MAX_NODES
    expect(page.get_by_text("more; search for those that you mean").first).to_be_visible()
    page.get_by_role("searchbox", name="Search summary").fill("part7/k19957")
    expect(page.locator(".tree .name", has_text="part7/k19957")).to_be_visible()
    assert shown("/compare?run=first&run=second") < _MAX_NODES
    assert shown("/runs/first/charts") < _MAX_NODES
    _reaches_the_end(page)


def _reaches_the_end(page: Page) -> None:
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    last = page.locator(".section").last.locator(".panel").last
    expect(last).to_be_visible()
    last.scroll_into_view_if_needed()
    expect(last.get_by_role("figure")).to_be_visible()
    settle(page)
    assert page.locator(".panel").count() < 3000
