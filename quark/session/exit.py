"""How the process ends, as far as Python can tell before it does.

An uncaught exception is seen by a link in ``sys.excepthook``'s chain, a ``sys.exit(n)`` by a thin
layer around ``sys.exit``, SIGTERM by a handler if nobody else has one; all do what they did before.
A handler of the user's is left alone, whether it was there before or comes later. Every other
signal is seen by nobody: the journal keeps what was logged and the next process says that the run
was lost. So it does after a SIGTERM that comes while Python is kept from handling it, in a long
call into C.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, NoReturn

_Hook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]


class ExitWatch:
    """Remembers an uncaught exception and the code given to ``sys.exit``.

    ``at_exit`` is called once when the interpreter shuts down in the process that made this;
    ``at_signal`` in a signal handler, right before the signal kills that process. ``before_signal``
    are called before it, and there too.
    """

    def __init__(self, at_exit: Callable[[], None], at_signal: Callable[[int], None]) -> None:
        self.exception: BaseException | None = None
        self.code: int | None = None
        self.before_signal: list[Callable[[], None]] = []
        self._at_exit = at_exit
        self._at_signal = at_signal
        self._pid = os.getpid()
        self._installed = False

    def install(self) -> None:
        """Begin to watch. A second call only has the handler of SIGTERM put in its place again."""
        if not self._installed:
            self._installed = True
            self._next_hook: _Hook = sys.excepthook
            self._next_exit = sys.exit
            sys.excepthook = self._excepthook
            sys.exit = self._exit
            atexit.register(self._run)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and _in_main_thread():
            signal.signal(signal.SIGTERM, self._on_signal)

    def release_signal(self) -> None:
        """Give SIGTERM back, if it is still ours."""
        if signal.getsignal(signal.SIGTERM) == self._on_signal and _in_main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @property
    def exit_code(self) -> int:
        """The code with which the process is ending: 0 if nothing else was seen."""
        if isinstance(self.exception, KeyboardInterrupt):
            return 255
        if self.exception is not None:
            return 1
        return self.code or 0

    def _excepthook(
        self,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        self.exception = error
        self._next_hook(kind, error, trace)

    def _exit(self, code: Any = None, /) -> NoReturn:
        if _in_main_thread():  # elsewhere it ends the thread alone
            self.code = code if isinstance(code, int) else int(code is not None)
        self._next_exit(code)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one kills at once
        try:
            if self._pid == os.getpid():
                for call in self.before_signal:
                    call()
                self._at_signal(number)
        finally:
            os.kill(os.getpid(), number)

    def _run(self) -> None:
        if self._pid == os.getpid():
            self._at_exit()
            if isinstance(self.exception, KeyboardInterrupt):
                _stay_interrupted()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _stay_interrupted() -> None:
    """Have the process die by SIGINT, as it does after Ctrl-C: shells stop their loops only then.

    Python remembers that an interrupt was uncaught only until code is run from text again, which
    modules and dataclasses that are made at exit do.
    """
    with contextlib.suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")
