"""What axe-core finds wrong with a page for people who do not see it, or use no mouse.

axe-core is fetched by ``make test-browser`` and run inside of the page from outside, so that the
page's policy need not let it in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.data import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

TOOLS = ROOT / ".browser" / "node_modules"
_AXE = TOOLS / "axe-core" / "axe.min.js"
_RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
  ({ id, impact, help, nodes }) => ({
    id, impact, help, nodes: nodes.slice(0, 4).map((node) => ({
      target: node.target.join(" "), html: node.html.slice(0, 200),
      why: [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; "),
    })),
  }))"""


def findings(page: Page) -> list[str]:
    """Return the serious and critical findings, a text each."""
    if not _AXE.exists():
        pytest.skip("axe-core is not here: make test-browser fetches it")
    page.evaluate(_AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [
        f"{one['impact']} {one['id']}: {one['help']}\n"
        + "\n".join(
            f"    {node['target']}: {node['html']}\n      {node['why']}" for node in one["nodes"]
        )
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
