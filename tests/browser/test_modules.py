"""The dashboard's modules without a page: types by tsc, pure functions by node's test runner."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.axe import TOOLS
from tests.browser.data import ROOT

STATIC = ROOT / "quark" / "dashboard" / "static"
HERE = ROOT / "tests" / "browser"

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@needs_node
def test_types_hold() -> None:
    tsc = TOOLS / "typescript" / "bin" / "tsc"
    if not tsc.exists():
        pytest.skip("typescript is not here: make test-browser fetches it")

    done = subprocess.run(
        ["node", str(tsc), "-p", str(HERE / "tsconfig.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@needs_node
def test_pure_functions(tmp_path: Path) -> None:
    shutil.copytree(HERE / "modules", tmp_path, dirs_exist_ok=True)
    shutil.copytree(STATIC, tmp_path / "static")
    (tmp_path / "package.json").write_text('{"type": "module"}')

    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", *sorted(map(str, tmp_path.glob("*.test.js")))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "# fail 0" in done.stdout
    assert "# pass 0" not in done.stdout
