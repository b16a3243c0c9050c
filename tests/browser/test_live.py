"""Pages that follow a training in another process: nothing is reloaded, and everything arrives."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.data import environment
from tests.browser.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[[Path], Served]

#: A training that goes on when it is told to, by a line on its standard input.
TRAINING = """
import sys
import quark.compat.wandb as wandb

run = wandb.init(id="live", project="watched", name="a training", config={"lr": 0.1})
step = 0
for line in sys.stdin:
    word = line.strip()
    if word == "log":
        for step in range(step, step + 20):
            run.log({"train/loss": 1000.0 + step, "val/loss": 1.0})
        step += 1
    elif word == "more":
        run.log({"late/metric": 5.0})
        print("a line of the console")
    elif word == "fail":
        raise RuntimeError("out of luck")
    elif word == "end":
        break
    print("done", word, flush=True)
run.finish()
"""
#: The last value that a chart says it has, after 20 and after 40 steps.
_HOLDS_19 = re.compile(r"\b1[^\d]?019\b")
_HOLDS_39 = re.compile(r"\b1[^\d]?039\b")
#: How long a page may take to show what happened; the pages ask every few seconds.
SOON_MS = 80_000


class Training:
    """A training in another process."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", TRAINING],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def do(self, word: str) -> None:
        """Let it do something and wait until it has."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.strip() == f"done {word}":
                return
        raise AssertionError("the training has ended")

    def end(self, word: str = "end") -> int:
        """Let it end and return its exit code."""
        self._process.communicate(word + "\n", timeout=60)
        return self._process.returncode

    def close(self) -> None:
        """End it in any case."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def training(folder: Path) -> Iterator[Training]:
    """Start a training, and end it with the block."""
    started = Training(folder)
    try:
        yield started
    finally:
        started.close()


def mark(page: Page) -> None:
    """Leave something in a page that a reload would take away."""
    page.evaluate("window.stillHere = true")


def is_marked(page: Page) -> bool:
    """Whether a page is the one that was marked."""
    return bool(page.evaluate("window.stillHere === true"))


def test_pages_follow_a_training(served: Serve, tmp_path: Path) -> None:
    place = served(tmp_path)
    runs_page = place.open("/runs")
    expect(runs_page.get_by_text("No runs yet")).to_be_visible()
    mark(runs_page)

    with training(tmp_path) as live:
        live.do("log")
        row = runs_page.get_by_role("row", name="a training")
        expect(row).to_be_visible(timeout=SOON_MS)
        expect(row).to_contain_text("running")

        page = place.open("/runs/live/charts")
        mark(page)
        chart = page.get_by_role("figure", name="train/loss")
        expect(chart.first).to_have_attribute("aria-label", _HOLDS_19, timeout=SOON_MS)
        expect(page.locator(".head .chip")).to_have_text("running")

        live.do("log")
        expect(chart.first).to_have_attribute("aria-label", _HOLDS_39, timeout=SOON_MS)

        assert page.get_by_role("figure", name="late/metric").count() == 0
        live.do("more")
        expect(page.get_by_role("figure", name="late/metric").first).to_be_visible(timeout=SOON_MS)

        logs = place.open("/runs/live/logs")
        mark(logs)
        expect(logs.get_by_text("a line of the console")).to_be_visible(timeout=SOON_MS)

        assert live.end() == 0
        for one in (page, logs):
            expect(one.locator(".head .chip").last).to_have_text("completed", timeout=SOON_MS)
        expect(row).to_contain_text("completed", timeout=SOON_MS)

    assert is_marked(runs_page)
    assert is_marked(page)
    assert is_marked(logs)


def test_a_failure_is_seen(served: Serve, tmp_path: Path) -> None:
    place = served(tmp_path)
    with training(tmp_path) as live:
        live.do("log")
        page = place.open("/runs/live/overview")
        mark(page)

        assert live.end("fail") != 0

        expect(page.locator(".head .chip").last).to_have_text("failed", timeout=SOON_MS)
        assert is_marked(page)


def test_a_page_says_when_the_dashboard_is_gone_and_goes_on_when_it_is_back(
    served: Serve, tmp_path: Path, tripwire: object
) -> None:
    tripwire.allow("console: Failed to load resource")  # type: ignore[attr-defined]
    place = served(tmp_path)
    with training(tmp_path) as live:
        live.do("log")
        page = place.open("/runs/live/charts")
        mark(page)
        chart = page.get_by_role("figure", name="train/loss").first
        expect(chart).to_have_attribute("aria-label", _HOLDS_19, timeout=SOON_MS)

        page.context.set_offline(True)
        live.do("log")
        page.wait_for_event("requestfailed", timeout=SOON_MS)
        expect(chart).to_be_visible()  # what was there stays there

        page.context.set_offline(False)
        expect(chart).to_have_attribute("aria-label", _HOLDS_39, timeout=SOON_MS)
        assert is_marked(page)
        live.end()
