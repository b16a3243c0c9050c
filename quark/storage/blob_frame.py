"""The frame around every blob in a run's file: what it is, and a checksum over the rest."""

from __future__ import annotations

import struct
import zlib

from quark.errors import DamagedFileError

_HEAD = struct.Struct("<4sI")

SEGMENT_MAGIC = b"QSG1"
AXIS_MAGIC = b"QAX1"
CHUNK_MAGIC = b"QCH1"


def seal(magic: bytes, body: bytes) -> bytes:
    """Return ``body`` with its frame."""
    return _HEAD.pack(magic, zlib.crc32(body)) + body


def unseal(magic: bytes, blob: bytes) -> memoryview:
    """Return the body of a framed blob.

    Raises:
        DamagedFileError: It is no such blob, or its bytes have changed.
    """
    body = memoryview(blob)[_HEAD.size :]
    if len(blob) < _HEAD.size or _HEAD.unpack_from(blob) != (magic, zlib.crc32(body)):
        raise DamagedFileError(
            f"{len(blob)} bytes do not match their checksum, or are no {magic.decode()} blob."
        )
    return body
