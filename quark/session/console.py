"""What the training writes to its terminal, kept as console lines of the run.

A line is in the journal when the ``print`` that ended it returns, as what is logged is, and without
secrets. Lines that are not ended, long texts, and what comes while another thread is at it wait for
the background: a progress bar costs what putting its text into a list costs.
Nothing here waits for a lock: a print may come from any thread, from a signal handler or a
destructor, and from Quark itself.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quark.clock import SYSTEM_CLOCK
from quark.redact import REDACTED, redact_text
from quark.session.stream_tap import StreamName, listen
from quark.session.terminal import ShownLine, TerminalLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from quark.pipeline.faults import FaultLog

#: A kept line is cut here.
MAX_LINE_CHARACTERS: Final = 8 * 1024
#: A longer text is left to the background.
_MAX_TEXT_AT_ONCE: Final = 1024
#: What waits for the background is taken up by whoever writes when there is as much of it.
_MAX_WAITING: Final = 1_000
_MAX_LOG_LINES_WAITING: Final = 5_000
#: A line that goes on and on, such as a progress bar, is kept as it stands this often.
_UNFINISHED_SECONDS: Final = 30.0
#: A display that is painted anew less often than this is no display.
_HELD_SECONDS: Final = 1.0
_MAX_LINES_OF_A_KEY: Final = 200
_CLOSE_SECONDS: Final = 1.0


class _Stream:
    """One of the two streams: its terminal, and whether a private key is being printed."""

    def __init__(self, name: StreamName) -> None:
        self.name = name
        self.terminal = TerminalLines()
        self.lines_of_a_key = 0
        self.unfinished = ""
        self.kept_at = SYSTEM_CLOCK.monotonic()
        self.ended_since = False
        self.fed_since = True
        self.quiet_at = 0.0

    def without_secrets(self, text: str) -> str:
        if self.lines_of_a_key:
            self.lines_of_a_key = 0 if "-----END" in text else self.lines_of_a_key - 1
            return REDACTED
        if "-----BEGIN" in text and "PRIVATE KEY" in text and "-----END" not in text:
            self.lines_of_a_key = _MAX_LINES_OF_A_KEY
        return redact_text(text)


class ConsoleCapture:
    """Follows stdout and stderr from when it is made until :meth:`close`.

    ``keep`` is given stream, text and whether it was cut, line by line; the lines are also put at
    the end of ``log_path``. Without ``listening`` there is only what :meth:`write` is given.
    :meth:`work` is to be called in the background now and then.
    """

    def __init__(
        self,
        keep: Callable[[str, str, bool], object],
        log_path: Path | None,
        faults: FaultLog,
        *,
        listening: bool = True,
    ) -> None:
        self._keep = keep
        self._log_path = log_path
        self._faults = faults
        self._waiting: deque[tuple[_Stream, str]] = deque()
        self._left_to_background = False
        self._log_lines: list[str] = []
        self._lock = threading.Lock()  # only ever tried, or waited for by a deadline
        self._worker = 0  # the thread that is taking up what waits
        heard = [_Stream("stdout"), _Stream("stderr")] if listening else []
        if sys.stderr is sys.stdout:
            del heard[1:]
        self._written = _Stream("stdout")
        self._streams = (*heard, self._written)
        self._stops = [listen(stream.name, partial(self._hear, stream)) for stream in heard]
        self._closed = False

    def write(self, text: str) -> None:
        """Keep ``text`` as if it had been printed."""
        self._hear(self._written, text if text.endswith("\n") else text + "\n")

    def work(self) -> None:
        """Take up what waits, and write the log file. Comes back at once if another is at it."""
        if self._lock.acquire(blocking=False):
            try:
                self._take_up()
                self._keep_quiet_ones()
                self._write_log()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Give the streams back and keep what is left. A second call does nothing.

        In a signal handler that interrupted the taking up of a line, the rest is let go.
        """
        closed, self._closed = self._closed, True
        for stop in self._stops:
            stop()
        if closed or self._worker == threading.get_ident():
            return
        if not self._lock.acquire(timeout=_CLOSE_SECONDS):
            return
        try:
            self._take_up()
            for stream in self._streams:
                self._keep_lines(stream, stream.terminal.close())
            self._write_log()
        except Exception as error:
            self._give_up(error)
        finally:
            self._lock.release()

    # -- inside ------------------------------------------------------------------------------

    def _hear(self, stream: _Stream, text: str) -> None:
        if not isinstance(text, str):
            return
        waiting = self._waiting
        waiting.append((stream, text))
        if len(text) > _MAX_TEXT_AT_ONCE:
            self._left_to_background = True
        ended = "\n" in text and not self._left_to_background
        if ended or len(waiting) >= _MAX_WAITING:
            self._take_up_or_give_up()

    def _take_up_or_give_up(self) -> None:
        while self._waiting and self._lock.acquire(blocking=False):
            try:
                self._take_up()
            except Exception as error:
                self._give_up(error)
            finally:
                self._lock.release()

    def _take_up(self) -> None:
        waiting = self._waiting
        self._worker = threading.get_ident()
        try:
            while waiting:
                stream, text = waiting.popleft()
                if waiting and waiting[0][0] is stream:
                    parts = [text]
                    while waiting and waiting[0][0] is stream:
                        parts.append(waiting.popleft()[1])
                    text = "".join(parts)
                stream.fed_since = True
                lines = stream.terminal.feed(text)
                if lines:
                    self._keep_lines(stream, lines)
            self._left_to_background = False
        finally:
            self._worker = 0

    def _keep_lines(self, stream: _Stream, lines: list[ShownLine]) -> None:
        stream.ended_since = True
        for line in lines:
            text = stream.without_secrets(line.text)
            cut = line.cut or len(text) > MAX_LINE_CHARACTERS
            if cut:
                text = text[:MAX_LINE_CHARACTERS]
            self._keep(stream.name, text, cut)
            if self._log_path is not None:
                self._log_lines.append(text)
        if len(self._log_lines) > _MAX_LOG_LINES_WAITING:
            self._write_log()

    def _keep_quiet_ones(self) -> None:
        """Keep lines that nothing has been done to for a while, and now and then one that goes on
        and on as it stands, so that a killed run shows them."""
        now = SYSTEM_CLOCK.monotonic()
        for stream in self._streams:
            if stream.fed_since:
                stream.fed_since, stream.quiet_at = False, now
            elif now - stream.quiet_at > _HELD_SECONDS:
                held = stream.terminal.release()
                if held:
                    self._keep_lines(stream, held)
            line = stream.terminal.current()
            if stream.ended_since or not line.text:
                stream.ended_since, stream.kept_at = False, now
            elif now - stream.kept_at > _UNFINISHED_SECONDS and line.text != stream.unfinished:
                stream.unfinished, stream.kept_at = line.text, now
                text = stream.without_secrets(line.text)[:MAX_LINE_CHARACTERS]
                self._keep(stream.name, text, line.cut)

    def _write_log(self) -> None:
        lines, self._log_lines = self._log_lines, []
        if not lines or self._log_path is None:
            return
        try:
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            with self._log_path.open("a", encoding="utf-8", errors="replace") as file:
                file.write("\n".join(lines) + "\n")
        except OSError as error:
            self._faults.record(f"{self._log_path} cannot be written", error, strict=False)
            self._log_path = None

    def _give_up(self, error: Exception) -> None:
        """Listen no more: a print must not fail, or be heard twice, for a fault of ours."""
        self._waiting.clear()
        for stop in self._stops:
            stop()
        self._faults.record("the console is not followed any more", error, strict=False)
