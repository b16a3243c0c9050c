"""Server processes of tests: on loopback, on a free port, stopped by their process id."""

from __future__ import annotations

import atexit
import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path


def start(
    command: Sequence[str], log: Path, is_ready: Callable[[], bool], *, seconds: float = 150
) -> subprocess.Popen[bytes]:
    """Start a server and wait until it answers; it is stopped when this process ends at last.

    Raises:
        AssertionError: It ended, or did not answer in time; with the end of what it wrote.
    """
    with log.open("wb") as output:
        # Not here: this is the folder of the test that happened to be the first.
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)
    atexit.register(stop, process)
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        with contextlib.suppress(OSError):
            if is_ready():
                return process
        if process.poll() is not None:
            break
        pause.wait(0.05)
    stop(process)
    raise AssertionError(f"{command[0]} did not start: {log.read_text()[-2000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Have a server end, and wait until it has."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


def listens(port: int) -> bool:
    """Say whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
