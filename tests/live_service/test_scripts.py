"""The two scripts that the guide names run, here against a service of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import running_service, service_config

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_smoke_checks_are_all_ok_against_a_service_that_they_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "smoke_tests.py")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert " checks are ok." in done.stdout
    assert "FAILED" not in done.stdout


@pytest.mark.slow
def test_smoke_checks_that_fail_say_so() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "smoke_tests.py")],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "QUARK_PERSISTENCE_URL": "http://127.0.0.1:9",
            "QUARK_USER_KEY": "qk_000000000000_" + "0" * 40,
        },
        timeout=110,
        check=False,
    )

    assert done.returncode == 1
    assert "FAILED: " in done.stdout


@pytest.mark.slow
def test_a_transformer_is_read_back_as_it_was_logged(tmp_path: Path) -> None:
    script = ROOT / "tests" / "live_service" / "run_transformer_persistence.py"
    with running_service(service_config(tmp_path / "service")) as service:
        done = subprocess.run(
            [sys.executable, str(script), "--steps", "20", "--storage-dir", str(tmp_path / "runs")],
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "QUARK_PERSISTENCE_URL": service.url,
                "QUARK_USER_KEY": str(service.key),
            },
            timeout=110,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "DIFFERS" not in done.stdout
    assert done.stdout.count(" ok") >= 7
