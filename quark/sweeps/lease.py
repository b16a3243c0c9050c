"""Whether the process that took a trial is still there.

Each agent holds a lock on a file of its own for as long as it lives. The system gives the lock up
with the process, however that ends, so nothing has to be told and no clock compared. The programs
that an agent starts inherit the lock: a trial whose agent was killed counts as running as long as
its program does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from quark import ids

_FOLDER = "sweeps"


class Lease:
    """An agent's sign of life. Owns the lock on its file, until :meth:`release`."""

    def __init__(self, root: Path) -> None:
        self.agent_id = f"agent-{ids.random_id(10)}"
        self._path = _path(root, self.agent_id)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    @property
    def descriptor(self) -> int:
        """What a program must inherit to hold the lock too."""
        return self._descriptor

    def release(self) -> None:
        """Give the lock up. A second call does nothing."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = -1


def is_alive(root: Path, agent_id: str) -> bool:
    """Say whether the agent, or a program of its, is still there."""
    try:
        descriptor = os.open(_path(root, agent_id), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:  # too many open files, say: that tells nothing about the agent
        return True
    try:
        # Shared, so that two processes that look at once do not take each other for the agent.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def forget(root: Path, agent_id: str) -> None:
    """Remove the file of an agent that is gone."""
    with contextlib.suppress(OSError):
        _path(root, agent_id).unlink()


def _path(root: Path, agent_id: str) -> Path:
    return root / _FOLDER / f"{agent_id}.lock"
