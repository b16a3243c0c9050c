"""Tests of sessions and writers once more: their promises hold when a service keeps the runs."""

from __future__ import annotations

import pytest

from tests.session.test_training import (
    test_a_forked_child_logs_into_the_run_but_does_not_end_it,
    test_a_run_goes_from_running_to_completed_and_can_be_read_back,
    test_a_run_that_was_interrupted_is_gone_on_with,
    test_a_secret_in_config_or_traceback_never_reaches_the_disk,
    test_an_exception_ends_the_run_and_is_kept_and_goes_on,
    test_lineage_leads_back_to_the_first_run,
    test_offline_everything_waits_in_the_journal_for_a_later_process,
    test_transitions_that_are_not_allowed_are_refused_by_name,
)
from tests.support.over_service import ServicePlace
from tests.writers.test_metrics import test_a_writer_takes_a_context_of_a_run_that_is_open_or_over

__all__ = [
    "test_a_forked_child_logs_into_the_run_but_does_not_end_it",
    "test_a_run_goes_from_running_to_completed_and_can_be_read_back",
    "test_a_run_that_was_interrupted_is_gone_on_with",
    "test_a_secret_in_config_or_traceback_never_reaches_the_disk",
    "test_a_writer_takes_a_context_of_a_run_that_is_open_or_over",
    "test_an_exception_ends_the_run_and_is_kept_and_goes_on",
    "test_lineage_leads_back_to_the_first_run",
    "test_offline_everything_waits_in_the_journal_for_a_later_process",
    "test_transitions_that_are_not_allowed_are_refused_by_name",
]


@pytest.fixture(autouse=True)
def _kept_by_a_service(over_service: ServicePlace) -> None:
    """Have the runs of every test here kept there."""
