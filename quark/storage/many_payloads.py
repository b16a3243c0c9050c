"""Putting many payloads, and copying them from one place to another, in groups of bounded size."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from quark.storage.file_copy import FileDigests

if TYPE_CHECKING:
    from quark.storage.protocols import BlobStore

#: Payloads up to this size are worth being put many at once; a group holds as many in memory.
SMALL_BYTES = 256 * 1024
_GROUP_COUNT = 500
_GROUP_BYTES = 8 << 20


class Copied(NamedTuple):
    """What a group of a copy came to."""

    digests: list[str]  # what the target has now
    sent_count: int  # of those, what it did not have before


def digests_of(payload: bytes) -> FileDigests:
    """Return what a payload in memory is known by."""
    return FileDigests(
        hashlib.sha256(payload).hexdigest(),
        hashlib.md5(payload, usedforsecurity=False).hexdigest(),
        len(payload),
    )


def put_each(blobs: BlobStore, sources: Sequence[bytes | Path]) -> list[FileDigests]:
    """Put one after the other: for stores in which that costs no request."""
    found = []
    for source in sources:
        if isinstance(source, bytes):
            blobs.put(source, synced=False)
            found.append(digests_of(source))
        else:
            found.append(blobs.put_file(source))
    return found


def copy_payloads(
    source: BlobStore, target: BlobStore, digests: Collection[str]
) -> Iterator[Copied]:
    """Have payloads of ``source`` in ``target`` too, and yield group after group when it is.

    What ``source`` has not, or loses meanwhile, is left out.
    """
    rest = iter(digests)
    while wanted := list(islice(rest, _GROUP_COUNT)):
        here = [sha256 for sha256 in wanted if source.exists(sha256)]
        known = target.claim_all(here)
        yield Copied([sha256 for sha256 in here if sha256 in known], 0)
        small: list[bytes] = []
        for sha256 in here:
            if sha256 in known:
                continue
            try:
                with source.open(sha256) as stream:
                    if _size_bytes(stream) <= SMALL_BYTES:
                        small.append(stream.read())
                    else:
                        arrived, _ = target.put(stream)  # another one if this one is damaged
                        yield Copied([arrived], 1)
            except (KeyError, FileNotFoundError):
                continue
            if sum(map(len, small)) > _GROUP_BYTES:
                yield _put(target, small)
                small = []
        yield _put(target, small)


def _put(target: BlobStore, payloads: Sequence[bytes]) -> Copied:
    found = [one.sha256 for one in target.put_all(payloads)]
    target.sync(found)
    return Copied(found, len(found))


def _size_bytes(stream: BinaryIO) -> int:
    size_bytes = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return size_bytes
