"""The same pages in the service: nothing is shown before a key is given, or after signing out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from quark.storage.model import Batch
from tests.browser import axe
from tests.browser.serving import quiet, settle
from tests.browser.tripwire import Tripwire
from tests.storage.building import losses, run_record
from tests.support.service import running_service, service_config

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_link_leads_through_the_login_to_its_run_and_out_again(
    new_page: Callable[..., Page], tripwire: Tripwire, tmp_path: Path
) -> None:
    tripwire.allow(r"console: Failed to load resource.* 40[13]")
    with running_service(service_config(tmp_path)) as service:
        tripwire.serve(service.url)
        store = service.store("vision")
        block = losses(2, [1.0, 0.5, 0.25])
        records = (run_record(name="<b>seen</b>"),)
        store.append(
            Batch(
                run_id="run-1",
                writer_id="w1",
                first_seq=1,
                last_seq=4,
                blocks=(block,),
                records=records,
            )
        )
        link = f"{service.url}/ui/runs/run-1/charts?storage_dir=vision&log=y"
        page = new_page()

        page.goto(link)
        expect(page.get_by_role("heading", name="Sign in to Quark")).to_be_visible()
        expect(page.get_by_label("User key")).to_be_focused()
        assert "seen" not in page.content()
        assert axe.findings(page) == []

        page.keyboard.type("qk_wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()

        page.get_by_label("User key").fill(service.key or "")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("<b>seen</b>")
        expect(page.get_by_role("figure", name="loss")).to_be_visible()
        assert page.url == link
        assert "qk_" not in page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")
        assert page.evaluate("document.cookie") == ""
        quiet(page)
        assert axe.findings(page) == []

        other = page.context.new_page()
        other.goto(f"{service.url}/ui/runs?storage_dir=vision")
        settle(other)
        expect(other.get_by_text("<b>seen</b>")).to_be_visible()

        page.locator("header").get_by_text("admin").click()
        page.get_by_role("button", name="Sign out").click()
        for one in (page, other):
            expect(one.get_by_role("heading", name="Sign in to Quark")).to_be_visible()
            assert "seen" not in one.locator("main").inner_text()
        page.context.close()
        store.close()
