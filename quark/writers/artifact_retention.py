"""Retention hooks: the user's own code, called after every artifact that was stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from quark.errors import SchemaValidationError
from quark.pipeline.faults import FaultLog
from quark.records import ArtifactRecord

if TYPE_CHECKING:
    from quark.writers.artifacts import ArtifactStore

RetentionHook = Callable[["ArtifactStore", ArtifactRecord], Any]


def checked_hooks(hooks: Sequence[RetentionHook] | None) -> tuple[RetentionHook, ...]:
    """Return ``hooks`` as a tuple.

    Raises:
        SchemaValidationError: One of them cannot be called.
    """
    if callable(hooks):
        raise SchemaValidationError(
            f"retention_hooks {hooks!r} is not valid: it must be a sequence; pass (hook,)."
        )
    for hook in hooks or ():
        if not callable(hook):
            raise SchemaValidationError(
                f"Retention hook {hook!r} is not valid: it must be a callable that takes the "
                "ArtifactStore and the ArtifactRecord."
            )
    return tuple(hooks or ())


class RetentionHooks:
    """Calls the hooks of one store in their order, behind a barrier.

    What a hook stores itself calls no hooks again.
    """

    def __init__(
        self, hooks: tuple[RetentionHook, ...], *, raise_on_error: bool | None, faults: FaultLog
    ) -> None:
        self._hooks = hooks
        self._raise_on_error = raise_on_error
        self._faults = faults
        self._running = threading.local()

    def call(self, store: ArtifactStore, record: ArtifactRecord) -> None:
        """Tell every hook of ``record``.

        Raises:
            Exception: What a hook raised, if errors are to be raised (else if the run is strict).
        """
        if not self._hooks or getattr(self._running, "here", False):
            return
        self._running.here = True
        try:
            for hook in self._hooks:
                try:
                    hook(store, record)
                except Exception as error:
                    cause = f"retention hook {getattr(hook, '__qualname__', repr(hook))} failed"
                    self._faults.record(cause, error, strict=self._raise_on_error)
        finally:
            self._running.here = False
