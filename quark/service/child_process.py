"""A process beside the service that does one thing after the other, and the service's end of it.

What a reader would get wrong: the child is told in lines of JSON on its standard input and answers
each with a head and bytes; it ends when its input does, so it never outlives the service, however
that dies. An answer that is late is never read: its process is ended, and the next is another one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from quark import errors, jsonio
from quark._own_memory import EXIT_NO_MEMORY, limit_memory
from quark._own_python import own_python
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import QuarkError, SchemaValidationError, SessionStoreError
from quark.service.config import ServiceConfig
from quark.service.stores import Stores

#: A longer line might have to wait for the child to read it, and that for ever.
MAX_ASKED_BYTES = 32 * 1024
_HEAD = struct.Struct("<?Q")  # whether it is an error, bytes that follow
#: An answer that fits into the pipe is written and read at once.
_PIPE_BYTES = 1 << 20
_ENGINES = ("db_url", "points_url", "blobs_url")


class NoAnswerError(SessionStoreError):
    """The process ended, hangs, or could not be started; the next question starts another one."""


class ChildProcess:
    """Runs a module that calls :func:`be_child`, from the first question on. Owns the process.

    Args:
        told: Fields of the child's configuration beside those that say where the stores are.
    """

    def __init__(
        self,
        module: str,
        config: ServiceConfig,
        *,
        told: Mapping[str, Any] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._command = own_python(module)
        engines = {name: getattr(config, name) for name in _ENGINES}
        # Not as arguments, which everybody sees.
        self._told = jsonio.dumps({"root": str(config.root), **engines, **(told or {})}) + b"\n"
        self._clock = clock
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False

    def ask(self, question: Any, timeout_seconds: float) -> bytes:
        """Have something done, and return the answer.

        Raises:
            QuarkError: What was raised there.
            NoAnswerError: There is no answer, or none in time; or the service stops.
            SchemaValidationError: The question is too long, or not to be said in JSON.
        """
        line = jsonio.dumps(question) + b"\n"
        if len(line) > MAX_ASKED_BYTES:
            raise SchemaValidationError(
                f"The question has {len(line)} bytes; at most {MAX_ASKED_BYTES} can be asked."
            )
        with self._asking:
            child = self._running()
            try:
                is_error, content = self._exchange(child, line, timeout_seconds)
            except (OSError, ValueError, EOFError) as error:  # ValueError: closed meanwhile
                self._end(child)
                raise NoAnswerError(
                    f"The process {self._command[-1]!r} ended or hung; another one is started."
                ) from error
            except BaseException:
                self._end(child)  # it would answer what nobody waits for
                raise
        if is_error:
            failure = jsonio.loads(content)
            raise getattr(errors, failure["type"], SessionStoreError)(failure["message"])
        return content

    def close(self, timeout_seconds: float) -> None:
        """Let the process end what it is doing, up to the deadline."""
        with self._lock:
            self._closed = True
            child = self._child
        if child is None:
            return
        assert child.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            child.stdin.close()
        try:
            child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            child.kill()  # what it does is one transaction: it is done, or was never begun
            child.wait()
        with self._asking:  # who waits for an answer still uses the pipe
            self._end(child)

    def _exchange(
        self, child: subprocess.Popen[bytes], line: bytes, timeout_seconds: float
    ) -> tuple[bool, bytes]:
        assert child.stdin is not None
        assert child.stdout is not None
        deadline = self._clock.monotonic() + timeout_seconds
        rest = memoryview(line)
        while rest:
            rest = rest[child.stdin.write(rest) :]
        answers = child.stdout.fileno()
        poll = select.poll()  # select.select() cannot wait for the many files of a busy service
        poll.register(answers, select.POLLIN)
        pieces: list[bytes] = []
        missing_bytes, is_error = _HEAD.size, False
        while missing_bytes > 0:
            left_seconds = deadline - self._clock.monotonic()
            if left_seconds <= 0 or not poll.poll(left_seconds * 1000):
                raise TimeoutError(f"no answer within {timeout_seconds:g} s")
            piece = os.read(answers, _PIPE_BYTES)
            if len(piece) < (0 if pieces else _HEAD.size) or not piece:
                raise EOFError
            if not pieces:  # a head is written, and so read, as a whole
                is_error, missing_bytes = _HEAD.unpack_from(piece)
                piece = piece[_HEAD.size :]
            pieces.append(piece)
            missing_bytes -= len(piece)
        return is_error, pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _running(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise NoAnswerError("The service stops.")
            if self._child is None:
                try:
                    self._child = _started(self._command)
                except OSError as error:
                    raise NoAnswerError(f"No process can be started: {error}.") from error
                assert self._child.stdin is not None
                with contextlib.suppress(OSError):
                    self._child.stdin.write(self._told)
            return self._child

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if self._child is child:
                self._child = None
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _started(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    if sys.platform == "linux":
        assert child.stdout is not None
        with contextlib.suppress(OSError):  # some may have no more of them: it works without
            fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return child


def serve(
    lines: IO[bytes], answers: IO[bytes], answer: Callable[[Stores, list[Any]], bytes]
) -> None:
    """Be the child: do what the lines say, until they end."""
    told: dict[str, Any] = jsonio.loads(next(lines))
    stores = Stores(ServiceConfig(root=Path(told.pop("root")), **told))
    for line in lines:
        is_error = False
        try:
            content = answer(stores, jsonio.loads(line))
        except QuarkError as error:
            is_error = True
            content = jsonio.dumps({"type": type(error).__name__, "message": str(error)})
        head = _HEAD.pack(is_error, len(content))
        if len(content) < _PIPE_BYTES:
            answers.write(head + content)  # at once, so that it is read at once
        else:
            answers.write(head)
            answers.write(content)
        answers.flush()
    stores.close()


def be_child(
    answer: Callable[[Stores, list[Any]], bytes], *, niceness: int, memory_bytes: int | None = None
) -> None:
    """Be the child of a service, which is what started this process.

    It may not ask for more than ``memory_bytes`` beyond what it has, where that can be limited.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the service says when to end
        signal.signal(number, signal.SIG_IGN)
    os.nice(niceness)
    if memory_bytes is not None:
        limit_memory(memory_bytes)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer, answer)
    except (StopIteration, BrokenPipeError):
        pass
    except MemoryError:
        os._exit(EXIT_NO_MEMORY)
