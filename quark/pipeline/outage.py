"""Tells the user, once, that the store has not taken anything for a while, and when it does again.

A training goes on meanwhile; nobody need do anything but where the store does not accept the user
key: that does not pass by itself, so it is told at once.
"""

from __future__ import annotations

from quark import ui
from quark.clock import Clock
from quark.errors import AuthenticationError, PermissionDeniedError
from quark.pipeline.journal import Journal

#: Shorter ones are nothing to worry about.
TELL_AFTER_SECONDS = 30.0


class OutageNotice:
    """What is told of one journal's deliveries to the store at ``target``."""

    def __init__(self, journal: Journal, target: str, clock: Clock) -> None:
        self._journal = journal
        self._target = target
        self._clock = clock
        self._since_seconds: float | None = None
        self._told = False

    def goes_on(self, error: Exception) -> None:
        """Take note that a delivery failed."""
        now = self._clock.monotonic()
        if self._since_seconds is None:
            self._since_seconds = now
        refused = isinstance(error, (AuthenticationError, PermissionDeniedError))
        if self._told or not (refused or now - self._since_seconds >= TELL_AFTER_SECONDS):
            return
        self._told = True
        reason = str(error).rstrip(".")
        way_out = (
            "With a key that is accepted, 'quark sync' delivers it."
            if refused
            else "It is delivered when the store answers again."
        )
        ui.say(
            f"{self._target} takes nothing of run {self._journal.meta.run_id} now: {reason}. The "
            f"run goes on, and what it logs is kept in {self._journal.folder}. {way_out}",
            tone="warning",
        )

    def is_over(self) -> None:
        """Take note that a delivery went well, or that there was nothing to deliver."""
        if self._told and not self._journal.pending:
            ui.say(f"{self._target} has everything of run {self._journal.meta.run_id} again.")
            self._told = False
        self._since_seconds = None
