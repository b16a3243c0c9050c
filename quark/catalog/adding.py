"""Files on their way into artifacts: read once, and not at all if they are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        return self._take([path])[0]

    def take_all(self, files: Sequence[tuple[str, Path]]) -> list[ManifestEntry]:
        """Put files and return their entries; each comes with its path in the artifact.

        Raises:
            OSError: A file cannot be read.
            SchemaValidationError: A file was changed meanwhile, again and again.
        """
        found = self._take([path for _, path in files])
        return [entry_of(name, digests) for (name, _), digests in zip(files, found, strict=True)]

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

    def _take(self, paths: Sequence[Path]) -> list[FileDigests]:
        stamps = [FileStamp.of(path.stat()) for path in paths]
        found = self._known_here(stamps)
        started_us = self._clock.time_us()
        rest = [index for index, stamp in enumerate(stamps) if stamp not in found]
        put = dict(zip(rest, self._blobs.put_all([paths[i] for i in rest]), strict=True))
        for index, digests in put.items():
            self.taken.add(digests.sha256)
            if self._known is not None and FileStamp.of(paths[index].stat()) == stamps[index]:
                self._known.remember(stamps[index], digests, started_us)
        return [put.get(index) or found[stamp] for index, stamp in enumerate(stamps)]

    def _known_here(self, stamps: Iterable[FileStamp]) -> dict[FileStamp, FileDigests]:
        """Return what is known of files and is in the store."""
        if self._known is None:
            return {}
        known = {stamp: digests for stamp in stamps if (digests := self._known.find(stamp))}
        here = self._blobs.claim_all({digests.sha256 for digests in known.values()})
        return {stamp: digests for stamp, digests in known.items() if digests.sha256 in here}


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
