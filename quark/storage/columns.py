"""Packs columns of numbers into bytes and back, bit for bit. The format is in docs/formats.md.

A packed column says how it is packed, so a reader needs only the number of rows. Bytes of equal
significance stand together (*planes*): those that repeat are deflated, those that look like noise
(the low bits of a loss) are not, which makes it both smaller and several times faster.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quark.errors import DamagedFileError

if TYPE_CHECKING:
    from quark.storage.model import Float64Array, Int64Array

PLAIN, CONSTANT, PROGRESSION, DELTAS = 0, 1, 2, 3
SAME_VALUE, WHOLE_NUMBERS, SINGLES, DOUBLES = 16, 17, 18, 19

_HEAD = struct.Struct("<BI")  # kind, bytes that follow
_TWO_INTS = struct.Struct("<qq")
_DELTAS_HEAD = struct.Struct("<qqBB")  # first, smallest difference, width, planes deflated
#: A plane is worth deflating if one byte in this many equals the byte before it; noise: 1 in 256.
_REPEAT_ONE_IN = 64
_RAW_DEFLATE = -15

Planes = NDArray[np.uint8]


def pack_ints(column: Int64Array, *, deflate: bool = True) -> bytes:
    """Pack at least one int64. Without ``deflate`` it costs only a few vector operations."""
    count = len(column)
    if count == 1 or bool((column == column[0]).all()):
        return _framed(CONSTANT, struct.pack("<q", int(column[0])))
    steps = np.diff(column)  # wraps around at the ends of int64, and so does the way back
    base = int(steps.min())
    offsets = (steps - np.int64(base)).view(np.uint64)
    largest = int(offsets.max())
    if largest == 0:
        return _framed(PROGRESSION, _TWO_INTS.pack(int(column[0]), base))
    width = 1 if largest < 2**8 else 2 if largest < 2**16 else 4 if largest < 2**32 else 8
    planes = _split(np.ascontiguousarray(offsets.astype(f"<u{width}"))[None, :])[0]
    mask, packed = _pack_planes(planes, _repeating(planes[None])[0] if deflate else None)
    if _DELTAS_HEAD.size + len(packed) >= 8 * count:
        return _framed(PLAIN, column.astype("<i8").tobytes())
    head = _DELTAS_HEAD.pack(int(column[0]), base, width, mask)
    return _framed(DELTAS, head + packed)


def pack_values(matrix: Float64Array) -> list[bytes]:
    """Pack every row of a C-ordered matrix of float64 as a column of its own."""
    matrix = np.ascontiguousarray(matrix)
    bits = matrix.view(np.int64)
    packed: list[bytes] = [b""] * len(matrix)
    is_same = (bits == bits[:, :1]).all(axis=1)
    for row in np.flatnonzero(is_same):
        packed[row] = _framed(SAME_VALUE, matrix[row, 0].tobytes())
    for row in np.flatnonzero(~is_same & _is_whole(matrix[:, 0], bits[:, 0])):
        if _is_whole(matrix[row], bits[row]).all():
            packed[row] = _framed(WHOLE_NUMBERS, pack_ints(matrix[row].astype(np.int64)))
    rest = np.array([not column for column in packed])
    with np.errstate(all="ignore"):
        singles = matrix.astype("<f4")
        is_single = (singles.astype(np.float64).view(np.int64) == bits).all(axis=1)
    _pack_floats(singles, rest & is_single, SINGLES, packed)
    _pack_floats(matrix.astype("<f8", copy=False), rest & ~is_single, DOUBLES, packed)
    return packed


def unpack_ints(column: bytes | memoryview, count: int) -> Int64Array:
    """Return the ``count`` integers of a packed column; the array may be read-only.

    Raises:
        DamagedFileError: The bytes are no packed column of that length.
    """
    kind, payload = _unframed(column)
    try:
        if kind == CONSTANT:
            return np.broadcast_to(np.int64(struct.unpack("<q", payload)[0]), count)
        if kind == PROGRESSION:
            first, step = _TWO_INTS.unpack(payload)
            end = first + step * count
            if step and -(2**63) <= end < 2**63:
                return np.arange(first, end, step, dtype=np.int64)
            numbers = np.arange(count, dtype=np.int64)
            numbers *= step  # wraps around, as the differences did
            numbers += first
            return numbers
        if kind == PLAIN:
            return np.frombuffer(payload, dtype="<i8", count=count).astype(np.int64)
        if kind == DELTAS:
            first, base, width, mask = _DELTAS_HEAD.unpack_from(payload)
            unpacked = _unpack_planes(payload[_DELTAS_HEAD.size :], width, count - 1, mask)
            sums = np.empty(count, dtype=np.uint64)
            sums[0] = np.int64(first).view(np.uint64)
            sums[1:] = unpacked.view(f"<u{width}")[:, 0]
            sums[1:] += np.int64(base).view(np.uint64)
            return np.cumsum(sums, out=sums).view(np.int64)
    except (struct.error, ValueError, zlib.error) as error:
        raise DamagedFileError(
            f"A column of {count} integers cannot be unpacked: {error}."
        ) from error
    raise DamagedFileError(f"A column of integers is packed in the unknown way {kind}.")


def unpack_values(column: bytes | memoryview, count: int) -> Float64Array:
    """Return the ``count`` values of a packed column.

    Raises:
        DamagedFileError: The bytes are no packed column of that length.
    """
    kind, payload = _unframed(column)
    try:
        if kind == SAME_VALUE:
            bits = np.full(count, struct.unpack("<q", payload)[0], dtype=np.int64)
            return bits.view(np.float64)
        if kind == WHOLE_NUMBERS:
            return unpack_ints(payload, count).astype(np.float64)
        if kind in (SINGLES, DOUBLES):
            width = 4 if kind == SINGLES else 8
            unpacked = _unpack_planes(payload[1:], width, count, payload[0])
            return unpacked.view(f"<f{width}")[:, 0].astype(np.float64)
    except (struct.error, ValueError, IndexError, zlib.error) as error:
        raise DamagedFileError(
            f"A column of {count} values cannot be unpacked: {error}."
        ) from error
    raise DamagedFileError(f"A column of values is packed in the unknown way {kind}.")


def packed_size(blob: bytes | memoryview, offset: int) -> int:
    """Return how many bytes the packed column at ``offset`` takes.

    Raises:
        DamagedFileError: It does not lie inside of ``blob``.
    """
    if offset + _HEAD.size <= len(blob):
        size = _HEAD.size + int(_HEAD.unpack_from(blob, offset)[1])
        if offset + size <= len(blob):
            return size
    raise DamagedFileError("A packed column ends beyond its blob.")


def _framed(kind: int, payload: bytes) -> bytes:
    return _HEAD.pack(kind, len(payload)) + payload


def _unframed(column: bytes | memoryview) -> tuple[int, memoryview]:
    if len(column) < _HEAD.size:
        raise DamagedFileError("A packed column ends inside its head.")
    kind, size = _HEAD.unpack_from(column)
    payload = memoryview(column)[_HEAD.size : _HEAD.size + size]
    if len(payload) < size:
        raise DamagedFileError("A packed column ends beyond its blob.")
    return kind, payload


def _is_whole(values: Float64Array, bits: Int64Array) -> NDArray[np.bool_]:
    """Say which values survive the way to int64 and back bit for bit; -0.0 does not."""
    with np.errstate(invalid="ignore"):
        back: NDArray[np.bool_] = values.astype(np.int64).astype(np.float64).view(np.int64) == bits
    return back


def _pack_floats(
    matrix: NDArray[np.floating], chosen: NDArray[np.bool_], kind: int, packed: list[bytes]
) -> None:
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return
    planes = _split(matrix if len(rows) == len(matrix) else matrix[rows])
    for row, row_planes, repeating in zip(rows, planes, _repeating(planes), strict=True):
        mask, body = _pack_planes(row_planes, repeating)
        packed[row] = _framed(kind, bytes((mask,)) + body)


def _split(matrix: NDArray[np.generic]) -> Planes:
    """Return rows × planes × columns: the n-th bytes of a row's numbers side by side."""
    rows, columns = matrix.shape
    as_bytes = matrix.view(np.uint8).reshape(rows, columns, matrix.dtype.itemsize)
    return np.ascontiguousarray(as_bytes.transpose(0, 2, 1))


def _repeating(planes: Planes) -> NDArray[np.bool_]:
    """Say which planes hold enough repetition to be worth deflating: rows × planes."""
    columns = planes.shape[2]
    repeats = np.count_nonzero(planes[:, :, 1:] == planes[:, :, :-1], axis=2)
    chosen: NDArray[np.bool_] = repeats * _REPEAT_ONE_IN > columns
    return chosen


def _pack_planes(planes: Planes, chosen: NDArray[np.bool_] | None) -> tuple[int, bytes]:
    """Return which planes are deflated, as bits, and the bytes: plain planes, then deflated."""
    if chosen is None or not chosen.any():
        return 0, planes.tobytes()
    repeating = planes[chosen].tobytes()
    deflated = zlib.compress(repeating, 1, wbits=_RAW_DEFLATE)
    if len(deflated) >= len(repeating):
        return 0, planes.tobytes()
    mask = sum(1 << int(plane) for plane in np.flatnonzero(chosen))
    return mask, planes[~chosen].tobytes() + deflated


def _unpack_planes(payload: memoryview, width: int, count: int, mask: int) -> Planes:
    """Return numbers × bytes of what :func:`_pack_planes` packed."""
    deflated = [plane for plane in range(width) if mask >> plane & 1]
    plain = [plane for plane in range(width) if not mask >> plane & 1]
    plain_size = len(plain) * count
    numbers = np.empty((count, width), dtype=np.uint8)
    _fill(numbers, plain, payload[:plain_size])
    if deflated:
        size = len(deflated) * count
        _fill(numbers, deflated, zlib.decompress(payload[plain_size:], _RAW_DEFLATE, size or 1))
    return numbers


def _fill(numbers: Planes, planes: Sequence[int], content: bytes | memoryview) -> None:
    rows = np.frombuffer(content, np.uint8).reshape(len(planes), len(numbers))
    for plane, row in zip(planes, rows, strict=True):
        numbers[:, plane] = row
