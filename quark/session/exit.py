"""How the process ends, as far as Python can tell before it does.

An uncaught exception is seen by a link in ``sys.excepthook``'s chain, a ``sys.exit(n)`` by a thin
layer around ``sys.exit``; both do what they did before. Ending by signal is seen by nobody: the
journal keeps what was logged and the next process says that the run was lost.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

_Hook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]


class ExitWatch:
    """Remembers an uncaught exception and the code given to ``sys.exit``.

    ``at_exit`` is called once when the interpreter shuts down in the process that made this.
    """

    def __init__(self, at_exit: Callable[[], None]) -> None:
        self.exception: BaseException | None = None
        self.code: int | None = None
        self._at_exit = at_exit
        self._pid = os.getpid()
        self._installed = False

    def install(self) -> None:
        """Begin to watch. A second call does nothing."""
        if self._installed:
            return
        self._installed = True
        self._next_hook: _Hook = sys.excepthook
        self._next_exit = sys.exit
        sys.excepthook = self._excepthook
        sys.exit = self._exit
        atexit.register(self._run)

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
        self.code = code if isinstance(code, int) else int(code is not None)
        self._next_exit(code)

    def _run(self) -> None:
        if self._pid == os.getpid():
            self._at_exit()
            if isinstance(self.exception, KeyboardInterrupt):
                _stay_interrupted()


def _stay_interrupted() -> None:
    """Have the process die by SIGINT, as it does after Ctrl-C: shells stop their loops only then.

    Python remembers that an interrupt was uncaught only until code is run from text again, which
    modules and dataclasses that are made at exit do.
    """
    with contextlib.suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")
