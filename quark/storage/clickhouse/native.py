"""ClickHouse's Native format: columns of a block, one behind the other.

A block is the number of its columns and of its rows, then each column: name, type, content.
Numbers are varints; a fixed-width column is an array, a string is its length and its bytes.
Without a protocol version in the request all servers write this oldest form of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quark.errors import SessionStoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.model import Float64Array, Int64Array

_DTYPES: Mapping[str, str] = {
    **{f"{sign}Int{bits}": f"<{sign[:1].lower() or 'i'}{bits // 8}"
       for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "Float64": "<f8",
}  # fmt: skip


class Column(NamedTuple):
    """One column of a block to be inserted, its rows already in the format."""

    name: str
    type: str
    content: bytes


def varint(number: int) -> bytes:
    """Return a number of at least 0, seven bits a byte, lowest first.

    >>> varint(300).hex()
    'ac02'
    """
    content = bytearray()
    while number >= 0x80:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    content.append(number)
    return bytes(content)


def string(value: str) -> bytes:
    """Return a string with its length in front.

    >>> string("é").hex()
    '02c3a9'
    """
    content = value.encode()
    return varint(len(content)) + content


def encode_block(columns: Sequence[Column], row_count: int) -> bytes:
    """Return one block."""
    parts = [varint(len(columns)), varint(row_count)]
    for column in columns:
        parts += (string(column.name), string(column.type), column.content)
    return b"".join(parts)


class Answer:
    """The columns that a query returned. One that no block named is empty."""

    def __init__(self, columns: Mapping[str, list[Any]]) -> None:
        self._columns = columns

    def ints(self, name: str) -> Int64Array:
        """Return a column of integers; those of a UInt64 above 2**63 - 1 wrap."""
        return self._array(name, np.dtype(np.int64))

    def unsigned(self, name: str) -> NDArray[np.uint64]:
        """Return a column of unsigned integers."""
        return self._array(name, np.dtype(np.uint64))

    def floats(self, name: str) -> Float64Array:
        """Return a column of floats, bit for bit."""
        return self._array(name, np.dtype(np.float64))

    def strings(self, name: str) -> list[str]:
        """Return a column of strings."""
        return [value.decode() for part in self._columns.get(name, []) for value in part]

    def _array(self, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
        parts = self._columns.get(name, [])
        if len(parts) == 1:
            return np.asarray(parts[0]).astype(dtype, copy=False)
        return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype, copy=False)


def decode_blocks(body: bytes) -> Answer:
    """Return the columns of all blocks, joined.

    Raises:
        SessionStoreError: The body is no such blocks: the server broke off with an error.
    """
    columns: dict[str, list[Any]] = {}
    reader = _Reader(body)
    try:
        while reader.has_more:
            column_count, row_count = reader.varint(), reader.varint()
            if columns and column_count != len(columns):
                raise ValueError(f"a block of {column_count} columns")
            for _ in range(column_count):
                name, type_name = reader.string().decode(), reader.string().decode()
                columns.setdefault(name, []).append(reader.content(type_name, row_count))
    except (ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        told = body[-300:].partition(b"Code: ")
        reason = (told[1] + told[2]).decode(errors="replace").strip() or f"it is damaged: {error}"
        raise SessionStoreError(f"ClickHouse broke off in the middle of an answer: {reason}") from (
            error
        )
    return Answer(columns)


class _Reader:
    """Goes through a body once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._offset = 0

    @property
    def has_more(self) -> bool:
        return self._offset < len(self._body)

    def varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._body[self._offset]
            self._offset += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def string(self) -> bytes:
        size = self.varint()
        value = self._body[self._offset : self._offset + size]
        if len(value) < size:
            raise ValueError("a string is cut short")
        self._offset += size
        return value

    def content(self, type_name: str, row_count: int) -> Any:
        if type_name == "String":
            return [self.string() for _ in range(row_count)]
        values = np.frombuffer(self._body, _DTYPES[type_name], row_count, self._offset)
        self._offset += values.nbytes
        return values
