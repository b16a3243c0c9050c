"""What waits on this machine for a service, beside the journal: payloads, and drafts of versions.

They are sent in the background, at the end of the run, by the next run that uses the same folder,
and by ``quark.sync``. After a failure the service is left alone for a while, ever longer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from quark import ui
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import QuarkError, SessionStoreError
from quark.pipeline.faults import FaultLog
from quark.session.places import is_remote
from quark.settings import Settings
from quark.storage.layout import drafts_path, outbox_path

if TYPE_CHECKING:
    from quark.catalog.model import Version
    from quark.catalog.resting import Resting
    from quark.storage.protocols import Store

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
#: A service that asks for a longer pause is asked again after this one.
_MOST_ASKED_SECONDS = 300.0
_LOOK_SECONDS = 0.02


class Sending:
    """Sends what waits in the store's folder ``root``. Threads may share it. ``wake`` has
    :meth:`work` called soon."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        faults: FaultLog,
        *,
        wake: Callable[[], None] = lambda: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._root = root
        self._settings = settings
        self._is_remote = is_remote(settings)
        self._faults = faults
        self._wake = wake
        self._clock = clock
        self._failed_count = 0
        self._failures = 0
        self._not_before_seconds = 0.0
        self._own: list[Path] = []  # drafts of this process
        self.last_error: Exception | None = None
        #: Versions as they were when they were made here, by the ids of their drafts.
        self.made: dict[str, Version] = {}

    @property
    def waits(self) -> bool:
        """Whether anything waits, of any process."""
        return self._is_remote and (
            outbox_path(self._root).is_dir() or drafts_path(self._root).is_dir()
        )

    def rest(self, resting: Resting) -> Path:
        """Keep a draft until the service has made the version; return its file.

        Raises:
            OSError: It cannot be written.
        """
        from quark.catalog.resting import RestingDrafts

        path = RestingDrafts(drafts_path(self._root)).add(resting)
        self._own = [*(own for own in self._own if own.exists()), path]
        self._wake()
        return path

    def hurry(self) -> None:
        """Have what waits sent soon, also after failures."""
        self._failures, self._not_before_seconds = 0, 0.0
        self._wake()

    def work(self, store: Store | None) -> None:
        """Send what waits, unless the service is left alone. Called in the background."""
        if store is not None and self._clock.monotonic() >= self._not_before_seconds:
            self._try(store, float("inf"))

    def finish(self, store: Store, seconds: float) -> None:
        """Send what waits, also after failures, until ``seconds`` have passed."""
        deadline = self._clock.monotonic() + seconds
        pause = threading.Event()
        while not self._try(store, deadline):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return
            pause.wait(min(left, _FIRST_PAUSE_SECONDS))

    def await_own(self, seconds: float) -> bool:
        """Wait until the background has sent the drafts of this process; say whether it has. No
        longer than until it fails."""
        deadline = self._clock.monotonic() + seconds
        pause = threading.Event()
        before = self._failed_count
        if self._settings.mode == "online" and any(own.exists() for own in self._own):
            self.hurry()
        while self._settings.mode == "online" and any(own.exists() for own in self._own):
            if self._clock.monotonic() >= deadline or self._failed_count > before:
                return False
            pause.wait(_LOOK_SECONDS)
        return True

    def _try(self, store: Store, until_seconds: float) -> bool:
        """Send what waits; say whether nothing is left to be done by this process now."""
        if self._settings.mode != "online" or not self.waits:
            return True
        from quark.persistence.draft_delivery import deliver_drafts
        from quark.persistence.http_store import HttpStore

        assert isinstance(store, HttpStore)
        try:
            done = deliver_drafts(
                store, self._root, until_seconds=until_seconds, on_made=self._note_made
            )
            payloads = store.deliver_payloads(until_seconds)
        except (QuarkError, OSError) as error:
            self._back_off(error)
            if not isinstance(error, SessionStoreError):
                self._faults.record("what rests could not be sent", error, strict=False)
            return False
        self._failures, self._not_before_seconds, self.last_error = 0, 0.0, None
        for refusal in done.refusals:
            self._faults.record(
                f"the artifact {refusal.name} was refused and set aside",
                SessionStoreError(f"{refusal.reason} It is kept in {refusal.path}."),
                strict=False,
            )
        for refusal in payloads.refusals:
            self._faults.record(
                "a payload was refused and set aside",
                SessionStoreError(f"{refusal.reason} It is kept in {refusal.path}."),
                strict=False,
            )
        for reason in done.foreign:
            ui.warn_once(reason, reason)
        return not done.busy

    def _note_made(self, id: str, version: Version) -> None:
        if any(own.stem.endswith(f"-{id}") for own in self._own):
            self.made[id] = version

    def _back_off(self, error: Exception) -> None:
        self.last_error = error
        self._failed_count += 1
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**self._failures)
        self._failures = min(self._failures + 1, 30)
        asked = min(getattr(error, "retry_after_seconds", None) or 0.0, _MOST_ASKED_SECONDS)
        pause = max(longest * (0.5 + os.urandom(1)[0] / 510), asked)
        self._not_before_seconds = self._clock.monotonic() + pause
