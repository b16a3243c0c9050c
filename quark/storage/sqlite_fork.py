"""Closes SQLite files around ``os.fork``; see :mod:`quark.storage.sqlite_file` for the reason."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Protocol
from weakref import WeakSet

#: How long a fork waits for one file's running transaction.
_WAIT_SECONDS = 10.0


class ForkAware(Protocol):
    """What holds connections that a forked child must not share."""

    def prepare_fork(self, timeout_seconds: float) -> bool: ...

    def after_fork(self) -> None: ...

    def after_fork_in_child(self) -> None: ...


_tracked: WeakSet[ForkAware] = WeakSet()
_prepared: list[ForkAware] = []
#: Connections that a child inherited in spite of all; closing them would harm the parent.
_abandoned: list[object] = []


def track(file: ForkAware) -> None:
    """Have ``file`` told of every fork for as long as it lives."""
    _tracked.add(file)


def abandon(connections: Iterable[object]) -> None:
    """Keep inherited connections from ever being closed by this process."""
    _abandoned.extend(connection for connection in connections if connection is not None)


def _before() -> None:
    _prepared.extend(file for file in list(_tracked) if file.prepare_fork(_WAIT_SECONDS))


def _after_in_parent() -> None:
    while _prepared:
        _prepared.pop().after_fork()


def _after_in_child() -> None:
    _prepared.clear()
    for file in list(_tracked):
        file.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
