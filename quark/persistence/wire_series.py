"""Series as they go over the wire: JSON that says what they are, and behind it their columns."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from quark import jsonio
from quark.errors import DamagedFileError, SchemaValidationError, SessionStoreError
from quark.storage.blob_frame import seal, unseal
from quark.storage.columns import pack_ints, packed_size, unpack_ints
from quark.storage.model import NO_STEP, Buckets, KeyStats, Series
from quark.storage.segment import narrowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

SERIES_MAGIC = b"QWS1"

_HEAD = struct.Struct("<I")  # bytes of the JSON
_INT_COLUMNS = ("writer", "seq", "step", "epoch", "time_us")
_BUCKET_INTS = ("step_start", "step_end", "count", "nonfinite_count")
_BUCKET_FLOATS = ("minimum", "maximum", "mean", "last")


def encode_series(found: Iterable[Series]) -> bytes:
    """Pack series one after the other; columns that were not read stay away."""
    described, columns = [], []
    for series in found:
        names = [name for name in _INT_COLUMNS if len(getattr(series, name))]
        values = narrowed(np.ascontiguousarray(series.value, dtype="<f8"))
        described.append(
            {
                "key": series.key,
                "writers": series.writers,
                "count": len(series),
                "columns": names,
                "value_bytes": values.itemsize,
            }
        )
        columns += [pack_ints(getattr(series, name), deflate=False) for name in names]
        columns.append(values.tobytes())
    head = jsonio.dumps(described)
    return seal(SERIES_MAGIC, b"".join([_HEAD.pack(len(head)), head, *columns]))


def decode_series(body: bytes) -> dict[str, Series]:
    """Return what :func:`encode_series` packed, by key.

    Raises:
        SessionStoreError: The bytes are not whole; reading again may help.
    """
    try:
        view = unseal(SERIES_MAGIC, body)
        (head_size,) = _HEAD.unpack_from(view)
        offset = _HEAD.size + head_size
        found = {}
        for described in jsonio.loads(bytes(view[_HEAD.size : offset])):
            series, offset = _decoded(view, offset, described)
            found[series.key] = series
    except (DamagedFileError, SchemaValidationError, struct.error, ValueError, KeyError) as error:
        raise SessionStoreError(f"A series did not come through whole: {error}") from error
    return found


def _decoded(view: memoryview, offset: int, described: dict[str, Any]) -> tuple[Series, int]:
    count: int = described["count"]
    columns: dict[str, NDArray[np.int64]] = dict.fromkeys(_INT_COLUMNS, np.empty(0, np.int64))
    for name in described["columns"]:
        end = offset + packed_size(view, offset)
        columns[name] = unpack_ints(view[offset:end], count)
        offset = end
    width: int = described["value_bytes"]
    values = np.frombuffer(view, f"<f{width}", count, offset).astype(np.float64)
    series = Series(
        key=described["key"],
        writers=tuple(described["writers"]),
        writer=columns["writer"],
        seq=columns["seq"],
        step=columns["step"],
        epoch=columns["epoch"],
        time_us=columns["time_us"],
        value=values,
    )
    return series, offset + count * width


def plain_series(series: Series) -> dict[str, Any]:
    """Return a series as JSON shows it: columns as lists, null where there is no step or epoch."""
    plain: dict[str, Any] = {"key": series.key, "writers": series.writers}
    for name in _INT_COLUMNS:
        numbers = getattr(series, name).tolist()
        if name in ("step", "epoch"):
            numbers = [None if number == NO_STEP else number for number in numbers]
        plain[name] = numbers
    plain["value"] = jsonio.to_plain(series.value.tolist())
    return plain


def plain_buckets(buckets: Buckets) -> dict[str, Any]:
    """Return buckets as JSON shows them: one list a column."""
    plain: dict[str, Any] = {"key": buckets.key}
    for name in _BUCKET_INTS:
        plain[name] = getattr(buckets, name).tolist()
    for name in _BUCKET_FLOATS:
        plain[name] = jsonio.to_plain(getattr(buckets, name).tolist())
    return plain


def buckets_of(plain: dict[str, Any]) -> Buckets:
    """Return what :func:`plain_buckets` showed."""
    columns: dict[str, Any] = {name: np.array(plain[name], dtype=np.int64) for name in _BUCKET_INTS}
    columns.update((name, _floats(plain[name])) for name in _BUCKET_FLOATS)
    return Buckets(key=plain["key"], **columns)


def plain_stats(stats: KeyStats) -> dict[str, Any]:
    """Return a key's stats as JSON shows them."""
    plain: dict[str, Any] = jsonio.to_plain(dataclasses.asdict(stats))
    return plain


def stats_of(plain: dict[str, Any]) -> KeyStats:
    """Return what :func:`plain_stats` showed."""
    return KeyStats(**{**plain, "last_value": float(plain["last_value"])})


def _floats(numbers: list[float | str]) -> NDArray[np.float64]:
    """Read floats among which "NaN" and the infinities are strings."""
    return np.array([float(number) for number in numbers], dtype=np.float64)
