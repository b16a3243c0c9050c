"""Running a trial as a program: started, watched, and ended with its children if it must be."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from quark.clock import SYSTEM_CLOCK
from quark.sweeps.lease import Lease
from quark.sweeps.running import RunningTrial

_LOOK_SECONDS = 0.25
KILL_DELAY_SECONDS = 30.0


def run_program(
    running: RunningTrial,
    command: Sequence[str],
    environment: Mapping[str, str],
    lease: Lease,
    *,
    kill_delay_seconds: float = KILL_DELAY_SECONDS,
) -> int:
    """Run ``command`` as the trial, in a process group of its own; return its exit code.

    A trial that is to end gets SIGTERM, and SIGKILL if it is still there after
    ``kill_delay_seconds``. At Ctrl-C the program gets the same signal, with the same delay.

    Raises:
        OSError: The program cannot be started.
    """
    with subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        process_group=0,
        pass_fds=(lease.descriptor,),  # as long as the program lives, the trial is somebody's
    ) as process:
        try:
            while not running.should_stop:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(_LOOK_SECONDS)
            return _ended(process, signal.SIGTERM, kill_delay_seconds)
        except BaseException:
            _ended(process, signal.SIGINT, kill_delay_seconds)
            raise


def _ended(process: subprocess.Popen[bytes], number: int, delay_seconds: float) -> int:
    _signal_group(process, number)
    deadline = SYSTEM_CLOCK.monotonic() + delay_seconds
    while SYSTEM_CLOCK.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_SECONDS)
    _signal_group(process, signal.SIGKILL)
    return process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
