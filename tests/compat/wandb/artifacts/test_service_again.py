"""What holds of artifacts on this machine holds of those that a service keeps, too."""

from __future__ import annotations

import pytest

from tests.compat.wandb.artifacts import test_api_artifacts, test_artifacts, test_media
from tests.support.over_service import ServicePlace

_OTHERWISE = {
    # nothing is asked of a network while a script logs: it is `wait` that tells
    "test_a_name_keeps_its_type_and_a_failure_is_told_by_wait",
    "test_what_was_added_and_is_not_logged_yet_is_no_garbage",  # of the embedded store's folder
    "test_types_collections_and_versions_are_listed",  # logs into a workspace of somebody else
}

for module in (test_artifacts, test_media, test_api_artifacts):
    for name, test in vars(module).items():
        if name.startswith("test_") and name not in _OTHERWISE:
            globals()[name] = test


@pytest.fixture(autouse=True)
def _kept_by_a_service(over_service: ServicePlace) -> None:
    """Have every run of this module kept by a service."""
