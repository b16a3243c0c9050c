"""Threads that outlive a test on purpose: those of servers that many tests share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

LASTING: set[threading.Thread] = set()


@contextlib.contextmanager
def lasting_threads() -> Iterator[None]:
    """Let the threads that start in this block stay when the test is over."""
    before = set(threading.enumerate())
    yield
    LASTING.update(set(threading.enumerate()) - before)
