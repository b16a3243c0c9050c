"""The examples of docs/service-api.md run, in their order, against a real service."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.service import running_service, service_config

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "service-api.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: apt-get install curl")
def test_the_examples_run(tmp_path: Path) -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    script = "\n".join(["set -eu", *(f"{block}\necho" for block in blocks)])

    with running_service(service_config(tmp_path)) as service:
        done = subprocess.run(
            ["bash", "-c", script.replace("http://127.0.0.1:8321", service.url)],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", "QUARK_USER_KEY": str(service.key)},
            timeout=100,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(blocks) >= 5
    for word in (
        '"status":"completed"', '"value":[0.5,0.5,0.5]', "checkpoint_saved",
        '"state":"done"', '"health_scores":[{', '"mode":"pairwise"',
    ):  # fmt: skip
        assert word in done.stdout, word
