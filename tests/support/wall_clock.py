"""A wall clock that jumps in a process of its own: for what no test may do to the machine's.

Only what asks Python for the time is fooled, and only for the wall clock: the monotonic one goes
on, as after an administrator, or NTP, set the time.
"""

from __future__ import annotations

from pathlib import Path

_PRELUDE = """
import os as _os, time as _time
_jump = _os.open({path!r}, _os.O_RDONLY)
_real_ns = _time.time_ns
def _jumped_ns():
    return _real_ns() + int(_os.pread(_jump, 40, 0) or b"0")
_time.time_ns = _jumped_ns
_time.time = lambda: _jumped_ns() / 1e9
"""


class WallClock:
    """Where a process is to read how far its wall clock is off."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set_off(0)

    @property
    def prelude(self) -> str:
        """Python to run in the process before anything else."""
        return _PRELUDE.format(path=str(self._path))

    def set_off(self, seconds: float) -> None:
        """Have the clock be wrong by so much from now on."""
        with self._path.open("r+b" if self._path.exists() else "wb") as file:
            file.write(b"%-40d" % int(seconds * 1e9))
