"""Whether a service could answer a request now, and if not, why."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from quark.errors import QuarkError

if TYPE_CHECKING:
    from quark.service.state import ServiceState

#: Who asks more often is told what was found last.
_HOLDS_SECONDS = 1.0


class Readiness:
    """Looks at what a service needs. Threads may share it."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._found: dict[str, str] = {}
        self._looked_seconds: float | None = None

    def faults(self) -> dict[str, str]:
        """Return what is wrong by where it is; nothing if all is well."""
        if self._state.stopping.is_set():
            return {"service": "It stops."}
        with self._lock:  # many who ask at once wait for one look
            now = self._state.clock.monotonic()
            if self._looked_seconds is None or now - self._looked_seconds >= _HOLDS_SECONDS:
                self._found = self._look()
                self._looked_seconds = self._state.clock.monotonic()
            return self._found

    def _look(self) -> dict[str, str]:
        state = self._state
        faults = {}
        looks: tuple[tuple[str, Callable[[], object]], ...] = (
            ("control store", lambda: state.stores.control.get("readiness", "probe")),
            ("engines", state.stores.engines.check),
        )
        for name, look in looks:
            try:
                look()
            except QuarkError as error:
                faults[name] = type(error).__name__  # the text may name hosts
                state.faults.record(f"not ready: {name}", error)
        try:
            free_bytes = shutil.disk_usage(state.config.root).free
        except OSError as error:
            faults["root"] = f"It cannot be looked at: {error.strerror}."
        else:
            if free_bytes < state.config.min_free_bytes:
                faults["disk"] = (
                    f"{free_bytes} bytes are free; {state.config.min_free_bytes} should be."
                )
        return faults
