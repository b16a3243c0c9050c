"""What a service does now and then: say that it is alive, and remove what nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark.pipeline.worker import BackgroundWorker
from quark.service.analysis_jobs import remove_comparisons
from quark.service.documents import remove_applied
from quark.service.root_folder import BEAT_SECONDS, RootClaim

if TYPE_CHECKING:
    from quark.service.state import ServiceState

_TIDY_SECONDS = 3600.0
_APPLIED_STAY_US = 86_400_000_000


class Housekeeping:
    """Looks after one process's part in a root. Owns its worker and its claim."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._claim = RootClaim(state.config.root)
        self._tidied_seconds = state.clock.monotonic()
        self._worker = BackgroundWorker(
            self._work,
            name="quark-housekeeping",
            interval_seconds=BEAT_SECONDS,
            faults=state.faults,
        )

    def start(self) -> None:
        """Begin to work in the background."""
        self._claim.beat()
        self._worker.start()

    def close(self, timeout_seconds: float) -> None:
        """Stop, and give the root free."""
        self._worker.close(timeout_seconds)
        self._claim.release()

    def tidy(self) -> None:
        """Remove notes of what was carried out long ago, comparisons that were read or are old,
        and old entries of the audit log."""
        state = self._state
        before_us = state.clock.time_us() - _APPLIED_STAY_US
        for store in state.stores.opened():
            remove_applied(store.documents, before_us)
            remove_comparisons(store.documents, state.clock.time_us())
        audit = state.identity.audit
        audit.remove_old()
        for workspace in state.identity.directory.workspaces():
            audit.remove_old(workspace.name)

    def _work(self) -> None:
        self._claim.beat()
        self._state.metrics.look(self._state)
        now = self._state.clock.monotonic()
        if now - self._tidied_seconds >= _TIDY_SECONDS:
            self._tidied_seconds = now
            self.tidy()
