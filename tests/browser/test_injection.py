"""The injection corpus on every page: all of it is shown as text, and nothing of it is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.data import Runs
from tests.browser.hostile import CORPUS
from tests.browser.serving import Served, quiet, settle
from tests.browser.test_every_page import TABS
from tests.browser.tripwire import Tripwire

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[[Path], Served]

RUN_IDS = ("hostile0", "hostile1", "hostile2'onmouseover=__tripped()")
#: What pages keep in their addresses, and a few words that none of them does.
ASKED = (
    *("q", "x", "zoom", "smooth", "log", "closed", "sort", "group", "project", "filter", "run"),
    *("key", "by", "columns"),
)
#: What the console says when logged HTML tries to leave its box; the box itself is in a frame.
IN_THE_BOX = (
    r"^console: .*(Content Security Policy|sandbox|Blocked|insecure|ERR_BLOCKED|Unsafe attempt)"
)


@pytest.mark.parametrize(
    "attempt",
    [
        "__tripped('called')",
        "window.__tripped = 'set'",
        "setTimeout(() => { document.body.innerHTML = '<img src=x onerror=__tripped(1)>' })",
        "setTimeout(() => { document.createElement('script').text = '1' })",
        "new Image().src = 'http://evil.invalid/x.png'",
        "fetch('//evil.invalid/x').catch(() => {})",
        "setTimeout(() => alert('dialog'))",
        "setTimeout(() => { throw new Error('fault') })",
        "console.error('said')",
        "void open('about:blank')",
    ],
)
def test_the_tripwire_trips(served: Serve, runs: Runs, tripwire: Tripwire, attempt: str) -> None:
    page = served(runs.bare).open("/runs")
    assert tripwire.left() == []

    page.evaluate(f"() => {{ {attempt}; }}")
    quiet(page)

    assert tripwire.left() != []
    tripwire.allow("")  # that was the point


def test_no_text_becomes_markup_not_even_where_a_program_of_ours_would_make_it(
    served: Serve, runs: Runs, tripwire: Tripwire
) -> None:
    """The browser itself refuses every place where a text is taken for markup or for a program."""
    tripwire.allow(r"TrustedHTML|TrustedScript|trusted-types|Trusted Type")
    page = served(runs.bare).open("/runs")
    for attempt in (
        "document.body.innerHTML = text",
        "document.body.insertAdjacentHTML('beforeend', text)",
        "document.write(text)",
        "document.createElement('iframe').srcdoc = text",
        "new DOMParser().parseFromString(text, 'text/html')",
        "document.createElement('script').src = text",
        "trustedTypes.createPolicy('mine', { createHTML: (one) => one })",
        "eval(text)",
    ):
        refused = page.evaluate(
            f"""() => new Promise((say) => setTimeout(() => {{
              const text = "<img src=x onerror=__tripped(1)>";
              try {{ {attempt}; say(""); }} catch (error) {{ say(error.name); }}
            }}))"""
        )
        assert refused in ("TypeError", "EvalError"), attempt
    expect(page.get_by_role("link", name="Compare")).to_be_visible()


def test_a_page_without_our_policy_would_run_the_corpus(
    served: Serve, runs: Runs, tripwire: Tripwire
) -> None:
    """The corpus is real: written as markup, without the policy, it does what it says."""
    place = served(runs.bare)
    page = place.open("/runs")

    def bare_markup(route: object) -> None:
        body = "<!doctype html><title>t</title>" + "\n".join(CORPUS)
        route.fulfill(body=body, content_type="text/html")  # type: ignore[attr-defined]

    page.route("**/ui/markup", bare_markup)
    page.goto(f"{place.address}/ui/markup", wait_until="commit")
    quiet(page)

    ran = [fault.text for fault in tripwire.left() if fault.kind == "ran"]
    assert any(text.startswith("script") for text in ran), ran
    assert any(text.startswith("img") for text in ran), ran
    tripwire.allow("")


def visit(page: Page) -> None:
    """Touch what a page has: move over it, unfold it, press what changes nothing."""
    places: list[list[float]] = page.evaluate(
        """() => {
          for (const one of document.querySelectorAll("details")) one.open = true;
          const many = document.querySelectorAll("main :is(tr, .panel, .tag, h3)");
          return [...many].map((one) => one.getBoundingClientRect())
            .filter((box) => box.width && box.top > 0 && box.bottom < innerHeight)
            .slice(0, 15).map((box) => [box.left + box.width / 2, box.top + box.height / 2]);
        }"""
    )
    for left, top in places:
        page.mouse.move(left, top)
    for text in page.locator("input[type=search]:visible").all()[:3]:
        text.fill(CORPUS[3])
        text.fill("")
    settle(page)


def unwanted(page: Page) -> list[str]:
    """Elements and addresses that only the corpus can have made."""
    found: list[str] = page.evaluate(
        """() => {
          const bad = [];
          for (const one of document.querySelectorAll("*")) {
            for (const { name, value } of one.attributes) {
              if (/^on/i.test(name)) bad.push(`${name}=${value}`);
              if (["href", "src", "action", "formaction", "srcdoc", "data", "xlink:href", "poster"]
                  .includes(name)) {
                const url = value.replace(/[\\s\\0-\\x1f]/g, "").toLowerCase();
                if (/^(javascript|vbscript):|^data:text|evil\\.invalid/.test(url)
                    && !url.startsWith("/ui/")) bad.push(`${name}=${value}`);
              }
            }
            if (["SCRIPT", "BASE", "META", "OBJECT", "EMBED", "LINK"].includes(one.tagName)
                && !one.closest("head")) bad.push(one.outerHTML.slice(0, 100));
            if (one.tagName === "IFRAME"
                && (!one.sandbox || !one.hasAttribute("sandbox")
                  || one.sandbox.contains("allow-same-origin")
                  || one.sandbox.contains("allow-top-navigation"))) bad.push(one.outerHTML);
          }
          return bad;
        }"""
    )
    return found


@pytest.mark.parametrize("run_id", RUN_IDS)
def test_nothing_of_a_run_is_ever_more_than_text(
    served: Serve, runs: Runs, tripwire: Tripwire, run_id: str
) -> None:
    place = served(runs.hostile)
    page = place.open("/runs")
    run = quote(run_id, safe="")
    for tab in TABS:
        tripwire.allow(IN_THE_BOX if tab == "media" else "^$")
        place.go(page, f"/runs/{run}/{tab}")
        quiet(page)

        visit(page)

        assert unwanted(page) == [], tab
        if tab != "media":
            assert not [frame for frame in page.frames if frame is not page.main_frame]


@pytest.mark.parametrize(
    "path",
    ["/runs/hostile0/media", "/artifacts/hostile/v0?part=files&file=html.html-file.json"],
)
def test_logged_html_runs_in_its_box_and_reaches_nothing(
    served: Serve, runs: Runs, tripwire: Tripwire, path: str
) -> None:
    tripwire.allow(IN_THE_BOX)
    page = served(runs.hostile).open(path)
    title, address = page.title(), page.url

    box = page.frame_locator("iframe").locator("#shown")

    expect(box).to_have_text("logged html has run")
    quiet(page)
    (frame,) = [frame for frame in page.frames if frame is not page.main_frame]
    assert frame.evaluate("self.origin") == "null"
    assert (page.title(), page.url) == (title, address)
    assert len(page.context.pages) == 1


def test_a_logged_file_that_is_opened_alone_is_nobodys_page(
    served: Serve, runs: Runs, tripwire: Tripwire
) -> None:
    tripwire.allow(IN_THE_BOX)
    place = served(runs.hostile)
    page = place.open("/runs/hostile0/media")
    asked: set[str] = set()
    page.on("request", lambda one: asked.add(one.url))
    for path in ("/runs/hostile0/media", "/artifacts/hostile/v0?part=files"):
        place.go(page, path)
        quiet(page)
        asked |= {
            place.address + found
            for found in page.locator("[href^='/ui/api/'], [src^='/ui/api/']").evaluate_all(
                "all => all.map((one) => one.getAttribute('href') ?? one.getAttribute('src'))"
            )
        }
    files = sorted(one for one in asked if "/ui/api/" in one and "/file" in one)
    assert files

    for url in files:
        answer = page.context.request.get(url)
        kind = answer.headers["content-type"].partition(";")[0]
        assert answer.headers["x-content-type-options"] == "nosniff"
        is_saved = answer.headers.get("content-disposition", "").startswith("attachment")
        is_boxed = "sandbox" in answer.headers["content-security-policy"]
        assert is_saved or is_boxed or kind.startswith(("image/png", "audio/", "application/json"))
        assert "allow-same-origin" not in answer.headers["content-security-policy"]


def test_nothing_in_lists_and_comparisons_is_more_than_text(served: Serve, runs: Runs) -> None:
    place = served(runs.hostile)
    ids = "&".join(f"run={quote(run_id, safe='')}" for run_id in RUN_IDS)
    page = place.open("/runs", width=400)
    paths = ["/runs", f"/compare?{ids}", "/compare", "/artifacts", "/artifacts/hostile"]
    shown = ("seen.table.json", "image.image-file.json")
    paths += [
        "/artifacts/hostile/v0",
        *(f"/artifacts/hostile/v0?part=files&file={name}" for name in shown),
        *(f"/runs?project={quote(text, safe='')}" for text in CORPUS[:4]),
    ]
    for path in paths:
        place.go(page, path)
        quiet(page)

        visit(page)

        assert unwanted(page) == [], path


def test_texts_are_shown_as_they_were_written(served: Serve, runs: Runs) -> None:
    page = served(runs.hostile).open("/runs/hostile0/charts")

    heading = page.locator("h1").inner_text()
    assert "<script>__tripped('script')</script>" in heading

    shown = page.locator("main").inner_text()
    assert (
        "<img src=x onerror=__tripped('img')>" in shown
        or page.locator("h3", has_text="<img src=x onerror=__tripped('img')>").count()
    )


def move(page: Page, path: str) -> None:
    """Go to an address as the browser's "back" does, without loading the page again."""
    page.evaluate(
        """(path) => {
          history.pushState(null, "", "/ui" + path);
          dispatchEvent(new PopStateEvent("popstate"));
        }""",
        path,
    )
    settle(page)


def test_an_address_is_hostile_too(served: Serve, runs: Runs, tripwire: Tripwire) -> None:
    tripwire.allow(r"console: Failed to load resource.* 4[0-9][0-9]")
    place = served(runs.hostile)
    page = place.open("/runs")
    for text in CORPUS:
        named = quote(text.strip() or "blank", safe="")
        words = "&".join(f"{name}={named}" for name in ASKED)
        paths = [f"/runs?{words}", f"/runs/hostile0/charts?{words}", f"/compare?{words}"]
        if ".." not in text:  # the browser itself takes those away
            paths += [f"/runs/{named}", f"/runs/hostile0/layers/{named}", f"/artifacts/{named}"]
        for path in paths:
            move(page, path)
            assert unwanted(page) == [], path
    for text in CORPUS[::6]:
        named = quote(text.strip() or "blank", safe="")
        page.goto(f"{place.address}/ui/runs/hostile0/charts?q={named}&x={named}")
        settle(page)
