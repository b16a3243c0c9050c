"""Copies of files: shared blocks where the file system can, one pass in constant memory where not.

A hole of a sparse file stays a hole. Nothing here makes hard links: who edits one of two linked
files in place changes the other one too.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from quark.errors import SchemaValidationError

_PIECE_BYTES = 1 << 20
_RANGE_BYTES = 1 << 30
_ATTEMPTS = 3

#: Linux's ``ioctl`` that lets one file share the blocks of another until either is written.
_FICLONE = 0x40049409

#: What says that a file system has no such call, not that something is wrong.
_NOT_HERE = frozenset(
    {errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EXDEV, errno.ENOTTY, errno.EPERM}
)


class FileDigests(NamedTuple):
    """What a file's content is known by: both digests in hex, and its size in bytes."""

    sha256: str
    md5: str
    size_bytes: int


class FileStamp(NamedTuple):
    """What changes when a file's content does. Times are nanoseconds since the epoch."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStamp:
        """Return the stamp of a file whose status this is."""
        return cls(
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


def read_and_digest(source: Path, limit_bytes: int) -> tuple[bytes, FileDigests] | None:
    """Return the content of a small file and what it is known by.

    None if it is larger than ``limit_bytes``, has holes, or was changed meanwhile: then
    :func:`copy_and_digest` is for it.

    Raises:
        OSError: The file cannot be read.
    """
    with source.open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        size_bytes = status.st_size
        if size_bytes > limit_bytes or status.st_blocks * 512 < size_bytes:
            return None
        content = file.read(limit_bytes + 1)
        if FileStamp.of(os.fstat(file.fileno())) != FileStamp.of(status):
            return None
    if len(content) != size_bytes:
        return None
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return content, FileDigests(hashlib.sha256(content).hexdigest(), md5, size_bytes)


def copy_and_digest(source: Path, target: int) -> FileDigests:
    """Copy ``source`` into the open, empty file ``target`` and say what was copied.

    A file that is written meanwhile is copied again, three times at most.

    Raises:
        OSError: A file cannot be read or written.
        SchemaValidationError: The file would not hold still.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, open(f"{folder}/b", "xb") as copy:
    ...     _ = Path(folder, "a").write_bytes(b"weights")
    ...     found = copy_and_digest(Path(folder, "a"), copy.fileno())
    >>> found.size_bytes, found.md5
    (7, '63f4f1e9b725370f459720575cd5f953')
    """
    for _ in range(_ATTEMPTS):
        with source.open("rb", buffering=0) as file:
            before = FileStamp.of(os.fstat(file.fileno()))
            os.ftruncate(target, 0)
            cloned = share_blocks(file.fileno(), target)
            found = _digests(target if cloned else file.fileno(), None if cloned else target)
            after = FileStamp.of(os.fstat(file.fileno()))
        if before == after and found.size_bytes == before.size_bytes:
            return found
    raise SchemaValidationError(
        f"The file {source} was changed while it was added, {_ATTEMPTS} times in a row. Add it "
        "when whoever writes it is done, or add a copy."
    )


def copy_file(source: int, target: int) -> None:
    """Copy an open file into an open, empty one, as cheaply as their file systems can.

    Raises:
        OSError: A file cannot be read or written.
    """
    if share_blocks(source, target):
        return
    size_bytes = os.fstat(source).st_size
    os.ftruncate(target, size_bytes)
    for start, end in data_ranges(source, size_bytes):
        while start < end:
            count = _copy_range(source, target, start, min(end - start, _RANGE_BYTES))
            if not count:
                return  # cut off meanwhile
            start += count


def share_blocks(source: int, target: int) -> bool:
    """Make ``target`` a copy that shares its blocks; False where that cannot be."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def data_ranges(file: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield where an open file has data: first byte, and first byte after it, in order."""
    if not hasattr(os, "SEEK_DATA"):
        if size_bytes:
            yield 0, size_bytes
        return
    position = 0
    while position < size_bytes:
        try:
            start = os.lseek(file, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                return
            yield position, size_bytes
            return
        if start >= size_bytes:
            return
        position = min(os.lseek(file, start, os.SEEK_HOLE), size_bytes)
        yield start, position


def _copy_range(source: int, target: int, start: int, count: int) -> int:
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(source, target, count, start, start)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
    piece = os.pread(source, min(count, _PIECE_BYTES), start)
    _write_all(target, piece, start)
    return len(piece)


def _digests(source: int, target: int | None) -> FileDigests:
    """Digest an open file in one pass, and copy it into ``target`` on the way."""
    size_bytes = os.fstat(source).st_size
    if target is not None:
        os.ftruncate(target, size_bytes)
    digests = (hashlib.sha256(), hashlib.md5(usedforsecurity=False))
    buffer = memoryview(bytearray(min(_PIECE_BYTES, max(size_bytes, 1))))
    done = 0
    for start, end in data_ranges(source, size_bytes):
        _digest_zeros(digests, start - done)
        done = start
        while done < end:
            count = os.preadv(source, [buffer[: min(len(buffer), end - done)]], done)
            if not count:  # cut off meanwhile, which the caller notices
                return FileDigests(digests[0].hexdigest(), digests[1].hexdigest(), done)
            piece = buffer[:count]
            for digest in digests:
                digest.update(piece)
            if target is not None:
                _write_all(target, piece, done)
            done += count
    _digest_zeros(digests, size_bytes - done)
    return FileDigests(digests[0].hexdigest(), digests[1].hexdigest(), size_bytes)


def digest_file(path: Path) -> FileDigests:
    """Return the digests of a file's content.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return _digests(file.fileno(), None)


def _digest_zeros(digests: tuple[hashlib._Hash, ...], count: int) -> None:
    if count <= 0:
        return
    zeros = memoryview(bytes(min(_PIECE_BYTES, count)))
    while count > 0:
        piece = zeros[: min(len(zeros), count)]
        for digest in digests:
            digest.update(piece)
        count -= len(piece)


def _write_all(target: int, piece: bytes | memoryview, position: int) -> None:
    rest = memoryview(piece)
    while rest:
        written = os.pwrite(target, rest, position)
        rest, position = rest[written:], position + written
