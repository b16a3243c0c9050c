"""What every test gets: a folder, an environment and a process of its own to leave clean."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from quark import ui
from quark.report.extension import tell_whole_reports_again
from tests.support.threads import LASTING

ROOT = Path(__file__).resolve().parent.parent

#: Settings of the person who runs the tests must not reach them.
_FOREIGN_SETTINGS = ("WANDB_", "QUARK_", "XDG_")
#: Where the tests find what they need on this machine.
_TEST_SETTINGS = "QUARK_TEST_"

# A test's time is no verdict here (benchmarks measure), and a failure must print how to repeat it.
hypothesis.settings.register_profile(
    "quark",
    deadline=None,
    print_blob=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("quark")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run of the contract suites choose its stores; see tests/storage/stores.py."""
    parser.addoption("--stores", default="", help="stores for the contract suites, by comma")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, and say why."""
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    if gpu and not _has_gpu():
        for item in gpu:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
    if importlib.util.find_spec("wandb") is None:
        for item in items:
            if item.get_closest_marker("wandb_parity"):
                item.add_marker(pytest.mark.skip(reason="the package wandb is not installed"))


def _has_gpu() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def _isolated(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run in an empty folder, with an empty home and none of the caller's settings."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN_SETTINGS) and not name.startswith(_TEST_SETTINGS):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    # Child processes find this checkout from any folder, installed or not.
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """Fail a test that leaves one of Quark's threads behind: an owner forgot to close it."""
    before = set(threading.enumerate())

    yield

    stray = [
        thread
        for thread in set(threading.enumerate()) - before - LASTING
        if thread.name.startswith("quark-")
    ]
    for thread in stray:
        thread.join(1.0)
    left = sorted(thread.name for thread in stray if thread.is_alive())
    assert not left, f"Still running after the test: {left}. Close their owner in the test."


@pytest.fixture(autouse=True)
def _fresh_terminal() -> Iterator[None]:
    """Let every test hear every warning, and start it loud."""
    yield
    ui.forget_warnings()
    ui.set_quiet(False)
    tell_whole_reports_again()


@pytest.fixture
def python() -> str:
    """The interpreter that runs the tests, for child processes."""
    return sys.executable
