"""What runs inside a session but knows more than it may: live rules, samplers, reports.

An extension is named in ``settings.extensions`` as ``module:attribute`` and loaded when a session
starts. Whatever it raises is caught here: logged once, counted, and raised only in strict mode.
Each may spend a share of the wall time; beyond it, batches pass it by until it is within it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SettingsError
from quark.pipeline.faults import FaultLog

if TYPE_CHECKING:
    from quark.session.training import TrainingSession
    from quark.storage.batch import Batch

#: Share of the wall time that ``on_batch`` of one extension may take, and what it may take at once
#: before that share is looked at.
TIME_SHARE = 0.05
FREE_SECONDS = 1.0


class SessionExtension(Protocol):
    """Something that follows a session. Every method may be called from another thread."""

    def on_start(self, session: TrainingSession) -> None:
        """The run has started."""
        ...

    def on_batch(self, session: TrainingSession, batch: Batch) -> None:
        """The shipper is about to deliver ``batch``; called on its thread, once per batch."""
        ...

    def on_end(self, session: TrainingSession, status: str) -> None:
        """The run ends with ``status``; everything logged before has been delivered. What this
        emits is kept."""
        ...


class ExtensionHost:
    """Calls the extensions of one session, behind a barrier."""

    def __init__(
        self,
        extensions: Sequence[SessionExtension],
        faults: FaultLog,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._extensions = tuple(extensions)
        self._faults = faults
        self._clock = clock
        self._started = clock.monotonic()
        self._spent = [0.0] * len(self._extensions)
        self.skipped = [0] * len(self._extensions)

    def __bool__(self) -> bool:
        return bool(self._extensions)

    def on_start(self, session: TrainingSession) -> None:
        for extension in self._extensions:
            try:
                extension.on_start(session)
            except Exception as error:
                self._faults.record(f"extension {_name(extension)} failed to start", error)

    def on_batch(self, session: TrainingSession, batch: Batch) -> None:
        for index, extension in enumerate(self._extensions):
            begin = self._clock.monotonic()
            if self._spent[index] > FREE_SECONDS + TIME_SHARE * (begin - self._started):
                self.skipped[index] += 1
                continue
            try:
                extension.on_batch(session, batch)
            except Exception as error:
                self._faults.record(f"extension {_name(extension)} failed", error, strict=False)
            self._spent[index] += self._clock.monotonic() - begin

    def on_end(self, session: TrainingSession, status: str) -> None:
        for extension in self._extensions:
            try:
                extension.on_end(session, status)
            except Exception as error:
                self._faults.record(f"extension {_name(extension)} failed to end", error)


def load_extensions(names: Sequence[str]) -> list[SessionExtension]:
    """Make the extensions that ``names`` (``module:attribute``) stand for.

    Raises:
        SettingsError: A name cannot be loaded.
    """
    loaded: list[SessionExtension] = []
    for name in names:
        module, _, attribute = name.partition(":")
        try:
            loaded.append(getattr(import_module(module), attribute)())
        except (ImportError, AttributeError, TypeError) as error:
            raise SettingsError(
                f"Extension {name!r} cannot be loaded: {error}. Name it as 'module:attribute', "
                "where the attribute can be called without arguments."
            ) from error
    return loaded


def _name(extension: SessionExtension) -> str:
    return type(extension).__qualname__
