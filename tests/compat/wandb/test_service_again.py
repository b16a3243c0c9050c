"""What holds of the shim's runs on this machine holds of those that a service keeps, too."""

from __future__ import annotations

from pathlib import Path

import pytest

import quark.compat.wandb as wandb
from tests.compat.wandb import test_api_changes, test_api_runs, test_resume
from tests.compat.wandb.test_api_changes import with_files
from tests.compat.wandb.test_api_runs import _no_run_stays_open, read
from tests.support.over_service import ServicePlace, over_service, place, running

__all__ = ["_no_run_stays_open", "over_service", "place", "read", "running", "with_files"]

#: A part of each module, so that the whole stays fast.
_AGAIN = {
    test_api_changes: (
        "test_files_are_listed",
        "test_a_file_is_downloaded",
    ),
    test_api_runs: (
        "test_runs_are_read_page_by_page",
        "test_histories_of_all_runs",
        "test_a_run_is_created_gone_on_with_or_given_up",
        "test_a_file_is_put_into_a_run_that_has_ended",
    ),
    test_resume: (
        "test_what_is_given_anew_counts",
        "test_a_run_that_is_killed_twice_has_one_summary",
        "test_a_deleted_run_is_unknown",
    ),
}
for module, names in _AGAIN.items():
    for name in names:
        globals()[name] = getattr(module, name)


@pytest.fixture(autouse=True)
def _kept_by_a_service(over_service: ServicePlace) -> None:
    """Have every run of this module kept by a service."""


def init(folder: Path, **arguments: object) -> wandb.Run:
    settings = {"silent": True, "console": "off"}
    run = wandb.init(project="p", dir=str(folder), settings=settings, **arguments)  # type: ignore[arg-type]
    assert isinstance(run, wandb.Run)
    return run


def test_auto_goes_on_with_a_run_of_this_machine_only(tmp_path: Path) -> None:
    init(tmp_path / "here", id="mine").finish(exit_code=1)
    init(tmp_path / "there", id="theirs").finish(exit_code=1)

    with init(tmp_path / "here", resume="auto") as run:
        assert (run.id, run.resumed) == ("mine", True)
    with init(tmp_path / "elsewhere", resume="auto") as run:
        assert (run.id in ("mine", "theirs"), run.resumed) == (False, False)


def test_what_was_logged_offline_counts_in_a_late_definition(tmp_path: Path) -> None:
    run = init(tmp_path, mode="offline")
    for value in (1, 5):
        run.log({"x": value})

    run.define_metric("x", summary="min,mean")
    run.log({"x": 3})

    assert dict(run.summary["x"]) == {"min": 1, "mean": 3}
    run.finish()
