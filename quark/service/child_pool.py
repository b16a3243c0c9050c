"""Several processes that all do the same, of which each does one thing after the other."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from typing import Any

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SessionStoreError
from quark.service.child_process import ChildProcess
from quark.service.config import ServiceConfig


class AllBusyError(SessionStoreError):
    """Every process has something to do, and none was done with it in time."""


class ChildPool:
    """Asks whichever process is free. Owns them; each is started when it is needed.

    Args:
        module: What they run, see :class:`~quark.service.child_process.ChildProcess`.
        count: How many; with 0 nothing can be asked.
        told: As there.
    """

    def __init__(
        self,
        module: str,
        config: ServiceConfig,
        count: int,
        *,
        told: Mapping[str, Any] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._children = [ChildProcess(module, config, told=told) for _ in range(count)]
        # The one that was used last comes first, so that few are started where few are needed, and
        # what a process remembers is asked of it again.
        self._free: queue.LifoQueue[ChildProcess] = queue.LifoQueue()
        for child in self._children:
            self._free.put(child)

    def __len__(self) -> int:
        return len(self._children)

    def ask(self, question: Any, timeout_seconds: float, *, wait_seconds: float) -> bytes:
        """Have something done, and return the answer; wait for a process that is free.

        Raises:
            AllBusyError: None was, for so long.
            NoAnswerError: There is no answer, or none in time; or the service stops.
            QuarkError: What was raised there.
        """
        try:
            child = self._free.get(timeout=wait_seconds)
        except queue.Empty:
            raise AllBusyError(
                f"All {len(self._children)} processes were busy for {wait_seconds:g} s."
            ) from None
        try:
            return child.ask(question, timeout_seconds)
        finally:
            self._free.put(child)

    def close(self, timeout_seconds: float) -> None:
        """End the processes, all by one deadline."""
        deadline = self._clock.monotonic() + timeout_seconds
        for child in self._children:
            child.close(max(0.0, deadline - self._clock.monotonic()))
