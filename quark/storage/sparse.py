"""Writing a file so that long runs of zeros become holes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

_BLOCK_BYTES = 64 * 1024
_ZEROS = bytes(_BLOCK_BYTES)


def write_sparse(source: BinaryIO, target: BinaryIO) -> Iterator[bytes]:
    """Write what is left of ``source`` into ``target``, an empty file; yield it on the way.

    The file is whole when the iterator is at its end.

    >>> import io
    >>> target = io.BytesIO()
    >>> [len(piece) for piece in write_sparse(io.BytesIO(b"a" + bytes(99)), target)]
    [100]
    >>> target.getvalue() == b"a" + bytes(99)
    True
    """
    while piece := source.read(_BLOCK_BYTES):
        if piece == _ZEROS:
            target.seek(_BLOCK_BYTES, os.SEEK_CUR)
        else:
            target.write(piece)
        yield piece
    target.truncate()
