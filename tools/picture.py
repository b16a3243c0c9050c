"""Draws docs/dashboard.png: what the dashboard says of a training that two faults break.

    python tools/picture.py

Trains ``examples/broken_training.py`` in an empty folder, serves the run as ``quark ui`` does, and
takes a picture of its Diagnosis in Chromium. Needs what ``make test-browser`` installs, and pillow.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from tests.browser.data import train  # noqa: E402
from tests.browser.serving import Server, quiet, settle  # noqa: E402

PICTURE = ROOT / "docs" / "dashboard.png"
MAX_BYTES = 200_000
_COLOURS = 192


def main() -> None:
    """Train, serve, look."""
    chromium = os.environ.get("QUARK_TEST_CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        script = str(ROOT / "examples" / "broken_training.py")
        train(
            folder, script, "--high-lr", "--dead-relu", run_id="digits-7", name="learning too fast"
        )
        server = Server(folder)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 890}, color_scheme="light")
        page.goto(server.entrance)
        page.goto(f"{server.address}/ui/runs/digits-7/diagnosis")
        settle(page)
        page.locator("canvas").first.wait_for()
        quiet(page)
        taken = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
        server.close()
    taken.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    size_bytes = PICTURE.stat().st_size
    if size_bytes > MAX_BYTES:
        sys.exit(f"{PICTURE.name} has {size_bytes} bytes; {MAX_BYTES} are allowed: fewer colours.")
    print(f"{PICTURE.relative_to(ROOT)}: {taken.width} x {taken.height}, {size_bytes} bytes")


if __name__ == "__main__":
    main()
