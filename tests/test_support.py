"""The tests' own tools: the clock that stands still, and the fixtures around every test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from quark.clock import Clock, format_timestamp
from tests.support.clock import FakeClock


def test_the_fake_clock_is_a_clock_that_waits_to_be_moved() -> None:
    clock: Clock = FakeClock()

    assert clock.time_us() == clock.time_us()
    assert format_timestamp(clock.time_us()) == "2024-01-01T00:00:00.000000Z"


def test_advancing_moves_both_sides() -> None:
    clock = FakeClock(start_us=1_000_000)

    clock.advance(2.5)

    assert (clock.time_us(), clock.monotonic()) == (3_500_000, 2.5)


def test_a_jump_moves_only_the_wall_clock() -> None:
    clock = FakeClock(start_us=1_000_000)

    clock.jump(-1)

    assert (clock.time_us(), clock.monotonic()) == (0, 0.0)


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_the_fake_clocks_monotonic_side_never_goes_back(steps: list[float]) -> None:
    clock = FakeClock()

    for seconds in steps:
        before = clock.monotonic()
        clock.advance(seconds)

        assert clock.monotonic() >= before


def test_a_clock_does_not_advance_backwards() -> None:
    with pytest.raises(ValueError, match="-1"):
        FakeClock().advance(-1)


def test_a_test_starts_in_an_empty_folder_with_an_empty_home() -> None:
    assert list(Path.cwd().iterdir()) == []
    assert list(Path.home().iterdir()) == []


INNER = """
import os
import threading

def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, name="quark-shipper", daemon=True).start()

def test_leaves_another_ones_thread():
    threading.Thread(target=threading.Event().wait, name="theirs", daemon=True).start()

def test_sees_no_foreign_settings():
    assert not [name for name in os.environ if name.startswith(("WANDB_", "QUARK_"))]
"""


def test_a_thread_left_behind_fails_the_test(python: str, tmp_path: Path) -> None:
    # A run of its own in every way: with pytest's shared folder of temporary files it would
    # clear away what earlier runs left there, which takes minutes on a slow disk.
    inner = tmp_path / "inner"
    inner.mkdir()
    inner.joinpath("pytest.ini").write_text("[pytest]\n")
    inner.joinpath("test_inner.py").write_text(INNER)
    command = [python, "-m", "pytest", "-p", "tests.conftest", "-rA"]
    command += ["-c", "pytest.ini", f"--basetemp={tmp_path / 'temporary'}", "test_inner.py"]
    # QUARK_TEST_... say where the tests' own tools are, and stay.
    kept = {name: value for name, value in os.environ.items() if "QUARK_TEST_" not in name}
    environment = {**kept, "WANDB_API_KEY": "x" * 40, "QUARK_QUIET": "1"}

    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=inner, env=environment
    )

    assert "ERROR test_inner.py::test_leaves_a_thread" in result.stdout
    assert "['quark-shipper']" in result.stdout
    assert "PASSED test_inner.py::test_leaves_another_ones_thread" in result.stdout
    assert "PASSED test_inner.py::test_sees_no_foreign_settings" in result.stdout
