"""What a service says of itself: one JSON object a line, without secrets.

A line names the route by its template, not by the path that was asked for, and never a query or a
body: keys, names of runs and what people type into searches are nobody else's business. Every
character that could end a line or steer a terminal is escaped.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from typing import Any, TextIO

from quark import jsonio
from quark.clock import SYSTEM_CLOCK, Clock, format_timestamp
from quark.redact import redact_text

#: JSON itself escapes what is below a blank. These also end lines, or turn writing around.
_TRICKY = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_MAX_MESSAGE_CHARACTERS = 8000


class JsonLog:
    """Writes lines to a stream, standard error if none is given. Threads may share it.

    A stream that is gone or full loses lines and nothing else.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()

    def line(self, event: str, *, level: str = "info", **fields: Any) -> None:
        """Write a line. Fields that are None are left out.

        >>> import io
        >>> stream = io.StringIO()
        >>> JsonLog(stream).line("started", port=8321, note="a\\nb")
        >>> stream.getvalue()
        '{"time":"...","level":"info","event":"started","port":8321,"note":"a\\\\nb"}\\n'
        """
        said = {
            "time": format_timestamp(self._clock.time_us()),
            "level": level,
            "event": event,
            **{name: value for name, value in fields.items() if value is not None},
        }
        text = _TRICKY.sub(_escaped, jsonio.dumps(said).decode())
        stream = self._stream or sys.stderr
        with self._lock:
            try:
                stream.write(text + "\n")
                stream.flush()
            except (OSError, ValueError):
                return


class LogHandler(logging.Handler):
    """Takes what libraries log, such as uvicorn, into a :class:`JsonLog`, redacted."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fault = None
        if record.exc_info:
            fault = redact_text(self._formatter_of_faults().formatException(record.exc_info))
            fault = fault[-_MAX_MESSAGE_CHARACTERS:]
        self._log.line(
            "log",
            level=record.levelname.lower(),
            logger=record.name,
            message=redact_text(record.getMessage())[:_MAX_MESSAGE_CHARACTERS],
            exception=fault,
        )

    def _formatter_of_faults(self) -> logging.Formatter:
        return self.formatter or logging.Formatter()


def follow_library_logs(log: JsonLog, *names: str) -> None:
    """Have the loggers of these names, such as ``"uvicorn"``, write into ``log`` alone."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers = [LogHandler(log)]
        logger.propagate = False
        logger.setLevel(logging.INFO)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
