"""Changing a run from the command line: as a writer of its own, beside whoever trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quark.errors import SessionStoreError

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.frame_content import FrameContent
    from quark.storage.protocols import Store

#: The writer that all commands share in a run, so that each sees what the others have changed.
WRITER = "cli"
_MAX_ATTEMPTS = 50


def change_run(
    store: Store, run_id: str, decide: Callable[[RunRecord], FrameContent | None]
) -> RunRecord:
    """Store what ``decide`` makes of a run as it is, None for nothing; return the run.

    It is asked again if another command was faster.

    Raises:
        RunNotFoundError: There is no such run.
        SessionStoreError: It cannot be changed now.
    """
    for _ in range(_MAX_ATTEMPTS):
        seq = store.position(run_id, WRITER) + 1
        content = decide(store.records.get_run(run_id))
        if content is None or store.append(content.batch(run_id, WRITER, seq)):
            return store.records.get_run(run_id)
    raise SessionStoreError(f"Run {run_id!r} is changed by too many at once; try again.")
