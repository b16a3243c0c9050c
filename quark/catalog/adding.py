"""Files on their way into artifacts: read once, and not at all if they are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from quark.catalog.known_files import KnownFiles, known_files, release
from quark.catalog.manifest import ManifestEntry, as_base64
from quark.clock import SYSTEM_CLOCK, Clock
from quark.storage.file_copy import FileDigests, FileStamp
from quark.storage.protocols import BlobStore

KNOWN_FILES = "known_files.db"


class FileTaker:
    """Puts files into ``blobs``. ``folder`` is where it is noted which files are known; without
    one every file is read.

    ``taken`` has the SHA-256 of what was put and may not survive a loss of power yet.
    """

    def __init__(
        self, blobs: BlobStore, folder: Path | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._blobs = blobs
        self._clock = clock
        self._known = None if folder is None else files_known_in(folder)
        self.taken: set[str] = set()

    def take(self, path: Path) -> FileDigests:
        """Put a file as it is now, unless that content is here already.

        Raises:
            OSError: The file cannot be read.
            SchemaValidationError: It was changed meanwhile, again and again.
        """
        stamp = FileStamp.of(path.stat())
        found = None if self._known is None else self._known.find(stamp)
        if found is not None and self._blobs.claim(found.sha256):
            return found
        started_us = self._clock.time_us()
        found = self._blobs.put_file(path)
        self.taken.add(found.sha256)
        if self._known is not None and FileStamp.of(path.stat()) == stamp:
            self._known.remember(stamp, found, started_us)
        return found

    def take_all(self, files: Sequence[tuple[str, Path]]) -> list[ManifestEntry]:
        """Put files and return their entries; each comes with its path in the artifact.

        Raises:
            OSError: A file cannot be read.
            SchemaValidationError: A file was changed meanwhile, again and again.
        """
        return [entry_of(name, self.take(path)) for name, path in files]

    def close(self) -> None:
        """Note what is known now, if that is much; :func:`note_known_files` notes all."""
        if self._known is not None:
            self._known.flush_if_worth_it()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def files_known_in(folder: Path) -> KnownFiles:
    """Return what this process knows of files by the notes in ``folder``."""
    return known_files(folder / KNOWN_FILES)


def note_known_files(folder: Path) -> None:
    """Let other processes know which files this one has read."""
    release(folder / KNOWN_FILES)


def entry_of(path: str, found: FileDigests) -> ManifestEntry:
    """Return the entry of a file that was put."""
    return ManifestEntry(
        path=path, digest=as_base64(found.md5), size_bytes=found.size_bytes, sha256=found.sha256
    )
