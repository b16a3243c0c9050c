"""What a file of a value is going to hold: bytes, a file on disk, or what is made when needed.

The constructor of a value decides which; the thread of the payloads asks for it. A small file is
read at once, so that the script may change or remove it. A large one is copied later, and a change
in between is noticed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from quark.compat.wandb.term import warn_once

#: Files up to this size are read where the value is made.
READ_AT_ONCE_BYTES = 16 << 20


class Content:
    """The content of one file. ``size_bytes`` is what it takes in memory while it waits.

    ``given`` is the path of the script's own file, as it was given, if the content is that file's.
    """

    __slots__ = ("_held", "_make", "_path", "_seen", "given", "size_bytes")

    def __init__(
        self,
        held: bytes | None = None,
        *,
        make: Callable[[], bytes] | None = None,
        path: Path | None = None,
        size_bytes: int = 1,
    ) -> None:
        self._held = held
        self._make = make
        self._path = path
        self._seen = None if path is None else _state(path)
        self.size_bytes = max(1, size_bytes)
        self.given: str | None = None

    @classmethod
    def of(cls, content: bytes) -> Content:
        """Return what holds ``content``."""
        return cls(content, size_bytes=len(content))

    @classmethod
    def made_by(cls, make: Callable[[], bytes], size_bytes: int) -> Content:
        """Return what holds what ``make`` gives; it is called once, when the content is needed.

        Args:
            size_bytes: What ``make`` keeps in memory until then.
        """
        return cls(make=make, size_bytes=size_bytes)

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Content:
        """Return what holds the content of a file.

        Raises:
            OSError: The file cannot be read.
        """
        with open(path, "rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            small = cls.of(file.read()) if size_bytes <= READ_AT_ONCE_BYTES else None
        content = small or cls(path=Path(path).absolute())
        content.given = os.fspath(path)
        return content

    def get(self) -> bytes | Path:
        """Return the bytes, or the path of a large file."""
        if self._path is not None:
            self.check()
            return self._path
        make = self._make
        if make is not None:
            self._held = make()
            self._make = None  # what it was made of is let go
        assert self._held is not None
        return self._held

    def prepare(self) -> None:
        """Make the bytes now, if they are to be made."""
        if self._make is not None:
            self.get()

    def read(self) -> bytes:
        """Return the bytes."""
        content = self.get()
        return content if isinstance(content, bytes) else content.read_bytes()

    def check(self) -> None:
        """Say so if a file that was not read at once has changed since the value was made."""
        if self._path is not None and _state(self._path) not in (self._seen, None):
            warn_once(
                f"changed {self._path}",
                f"{self._path} was changed after it was given to wandb and before it could be "
                "copied; what is kept may be newer than what was logged. Write to another file, or "
                "log it again.",
            )


def _state(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file does; None if it is gone, which its reader will say."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
