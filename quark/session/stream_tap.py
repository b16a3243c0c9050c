"""Hearing what is written to ``sys.stdout`` and ``sys.stderr``.

The stream's own ``write`` is overlaid, not the name in ``sys``: a logging handler or a progress bar
that was made before holds the stream object, and would never see another one put in its place. A
stream that takes no attributes is stood in for after all. Either way the text goes out first, and
as it did.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Literal

StreamName = Literal["stdout", "stderr"]
Listener = Callable[[str], None]

_ABSENT = object()
_taps: list[_StreamTap] = []


class _StandIn:
    """Does everything that ``stream`` does, and writes with ``write``."""

    def __init__(self, stream: Any, write: Callable[..., Any]) -> None:
        self.__dict__.update(_stream=stream, write=write)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.__dict__["write"](line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_stream"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_stream"], name, value)

    def __iter__(self) -> Any:
        return iter(self.__dict__["_stream"])


class _StreamTap:
    """Overlays one stream's ``write`` as long as somebody listens."""

    def __init__(self, name: StreamName, stream: Any) -> None:
        self.name = name
        self.stream = stream
        self.listeners: tuple[Listener, ...] = ()
        write = stream.write

        def heard_write(text: Any, /, *more: Any, **named: Any) -> Any:
            result = write(text, *more, **named)
            for listen in self.listeners:
                listen(text)
            return result

        self._write = heard_write
        self._stand_in: _StandIn | None = None
        self._before = getattr(stream, "__dict__", {}).get("write", _ABSENT)
        try:
            stream.write = heard_write
        except (AttributeError, TypeError):
            self._stand_in = _StandIn(stream, heard_write)
            setattr(sys, name, self._stand_in)

    def serves(self, stream: Any) -> bool:
        return stream is self.stream or stream is self._stand_in

    def remove(self) -> None:
        """Give the stream back as it was.

        If somebody has overlaid it in the meantime, theirs stays, and what they call is silent.
        """
        self.listeners = ()
        if self._stand_in is not None:
            if getattr(sys, self.name) is self._stand_in:
                setattr(sys, self.name, self.stream)
        elif self.stream.__dict__.get("write") is self._write:
            if self._before is _ABSENT:
                del self.stream.write
            else:
                self.stream.write = self._before


def listen(name: StreamName, listener: Listener) -> Callable[[], None]:
    """Have ``listener`` called with every text written to what is now ``sys.<name>``.

    It is called after the write, on the writer's thread, and must not raise. Returns what ends it;
    a second call of that does nothing, and so does one in a forked child, where nobody listens.
    """
    stream = getattr(sys, name)
    if stream is None or not callable(getattr(stream, "write", None)):
        return lambda: None
    tap = next((tap for tap in _taps if tap.serves(stream)), None)
    if tap is None:
        tap = _StreamTap(name, stream)
        _taps.append(tap)
    tap.listeners = (*tap.listeners, listener)

    def stop() -> None:
        tap.listeners = tuple(other for other in tap.listeners if other is not listener)
        if not tap.listeners and tap in _taps:
            _taps.remove(tap)
            tap.remove()

    return stop


def _after_fork_in_child() -> None:
    while _taps:
        _taps.pop().remove()


os.register_at_fork(after_in_child=_after_fork_in_child)
