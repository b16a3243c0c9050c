"""A process that packs points, and this process's end of it.

What a reader would get wrong: the child is told in lines of JSON on its standard input and answers
each with one; it ends when its input does, so it never outlives the service, however that dies.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from quark import errors, jsonio
from quark.errors import QuarkError, SessionStoreError
from quark.service.config import ServiceConfig
from quark.service.ingest import RunPlace
from quark.service.stores import StoreKey, Stores
from quark.storage.protocols import Store

_NICENESS = 10
#: A child that packs one run for longer than this is given up.
_MERGE_SECONDS = 600.0
_ENGINES = ("db_url", "points_url", "blobs_url")


class MergeChild:
    """Packs in another process, which is started when there is something to pack. Owns it."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False

    def merge(self, place: RunPlace, store: Store, *, final: bool) -> None:
        """Have a run packed, and wait for it.

        Raises:
            QuarkError: What the store raised there.
            SessionStoreError: The process died or hangs; the next call starts another one.
        """
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(jsonio.dumps([*place, final]) + b"\n")
            child.stdin.flush()
            ready, _, _ = select.select([child.stdout], [], [], _MERGE_SECONDS)
            line = child.stdout.readline() if ready else b""
        except (OSError, ValueError):  # ValueError: closed meanwhile
            line = b""
        if not line:
            self._end(child)
            raise SessionStoreError(
                f"The process that packs points ended or hung at run {place.run_id!r}; another one "
                "is started."
            )
        failure = jsonio.loads(line)
        if failure is not None:
            kind = getattr(errors, failure["type"], SessionStoreError)
            raise kind(failure["message"])

    def close(self, timeout_seconds: float) -> None:
        """Let the process end what it is doing, up to the deadline."""
        with self._lock:
            self._closed = True
            child = self._child
        if child is None:
            return
        with contextlib.suppress(OSError, ValueError):
            assert child.stdin is not None
            child.stdin.close()
        try:
            child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            child.kill()  # a merge is one transaction: it is done, or was never begun
            child.wait()
        _close_pipes(child)
        assert child.stdout is not None
        with contextlib.suppress(OSError):
            child.stdout.close()

    def _running(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise SessionStoreError("The service stops.")
            if self._child is None:
                self._child = subprocess.Popen(
                    [sys.executable, "-m", "quark.service.merge_child"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
                assert self._child.stdin is not None
                engines = {name: getattr(self._config, name) for name in _ENGINES}
                told = {"root": str(self._config.root), **engines}  # not argv: that is public
                with contextlib.suppress(OSError):
                    self._child.stdin.write(jsonio.dumps(told) + b"\n")
            return self._child

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if self._child is child:
                self._child = None
        child.kill()
        child.wait()
        _close_pipes(child)


def _close_pipes(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def serve(lines: IO[bytes], answers: IO[bytes]) -> None:
    """Be the child: pack what the lines say, until they end."""
    told: dict[str, Any] = jsonio.loads(next(lines))
    stores = Stores(ServiceConfig(root=Path(told.pop("root")), **told))
    for line in lines:
        workspace, storage_dir, run_id, final = jsonio.loads(line)
        failure = None
        try:
            stores.get(StoreKey(workspace, storage_dir)).points.merge(run_id, final=final)
        except QuarkError as error:
            failure = {"type": type(error).__name__, "message": str(error)}
        answers.write(jsonio.dumps(failure) + b"\n")
        answers.flush()
    stores.close()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # the service says when to end
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)
    with contextlib.suppress(StopIteration, BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
