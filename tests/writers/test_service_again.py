"""What holds of writers on this machine holds of those whose runs a service keeps, too."""

from __future__ import annotations

import pytest

from tests.support.over_service import ServicePlace, over_service, place, running
from tests.writers.test_artifacts import (
    session,
    test_a_closed_store_refuses_to_store_and_still_reads,
    test_every_filter_selects_what_a_plain_loop_selects,
    test_every_format_comes_back,
)
from tests.writers.test_artifacts_at_rest import (
    test_another_process_loads_what_this_one_stored,
    test_offline_keeps_the_payload_until_the_record_is_delivered,
    test_retention_hooks_see_every_artifact_and_call_no_hooks,
)
from tests.writers.test_data_diagnostics import (
    test_a_writer_buffers_closes_and_reads_on_after_the_end,
)
from tests.writers.test_events import test_events_and_logs_come_back_as_they_were_written
from tests.writers.test_metrics import (
    test_flush_returns_what_was_written_since_the_last_flush_or_full_batch,
    test_what_log_returned_is_what_read_returns,
)

__all__ = [
    "over_service",
    "place",
    "running",
    "session",
    "test_a_closed_store_refuses_to_store_and_still_reads",
    "test_a_writer_buffers_closes_and_reads_on_after_the_end",
    "test_another_process_loads_what_this_one_stored",
    "test_events_and_logs_come_back_as_they_were_written",
    "test_every_filter_selects_what_a_plain_loop_selects",
    "test_every_format_comes_back",
    "test_flush_returns_what_was_written_since_the_last_flush_or_full_batch",
    "test_offline_keeps_the_payload_until_the_record_is_delivered",
    "test_retention_hooks_see_every_artifact_and_call_no_hooks",
    "test_what_log_returned_is_what_read_returns",
]


@pytest.fixture(autouse=True)
def _kept_by_a_service(over_service: ServicePlace) -> None:
    """Have the runs of every test here kept there."""
