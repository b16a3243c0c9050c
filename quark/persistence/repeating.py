"""Sending a request again until it succeeds, is refused for good, or its deadline has come."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import (
    ArtifactNotFoundError,
    AuthenticationError,
    PermissionDeniedError,
    RecordRejectedError,
    SessionStoreError,
)
from quark.persistence.service_client import ServiceClient

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_FOR_GOOD = (
    ArtifactNotFoundError,
    AuthenticationError,
    PermissionDeniedError,
    RecordRejectedError,
)


def repeated(
    http: ServiceClient, seconds: float, request: Callable[[], T], *, clock: Clock = SYSTEM_CLOCK
) -> T:
    """Return what ``request`` does. It is called again while the service cannot be reached, or
    says that it is busy: ever more slowly, and never sooner than the service asked for.

    Raises:
        SessionStoreError: What the last call raised when ``seconds`` had passed.
        QuarkError: What a repeat would not change, at once.
    """
    deadline = clock.monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return request()
        except _FOR_GOOD:
            raise
        except SessionStoreError as error:
            http.check_open()
            wait = max(error.retry_after_seconds or 0.0, pause * _between_half_and_one())
            if clock.monotonic() + wait > deadline:
                raise
        threading.Event().wait(wait)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _between_half_and_one() -> float:
    return 0.5 + os.urandom(1)[0] / 510
