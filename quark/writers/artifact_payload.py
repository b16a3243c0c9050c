"""Between what a user wants to keep and the bytes at rest: JSON, text or bytes.

A ``pathlib.Path`` means the content of that file, not its name; a file object is read from where it
stands to its end. Both are streamed, so that a checkpoint never has to fit into memory.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.schema.words import PAYLOAD_FORMATS

_FITTING = {
    "json": "a value that JSON can hold",
    "text": "a string that UTF-8 can hold",
    "bytes": "bytes, a file object opened in binary mode, or the pathlib.Path of a file",
}
_SUFFIXES = {"json": ".json", "text": ".txt", "bytes": ".bin"}
_SAFE_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}")
_BYTES_LIKE = (bytes, bytearray, memoryview)


class Payload(NamedTuple):
    """What goes into the blob store."""

    payload_format: str
    source: BinaryIO | bytes
    suffix: str


@contextlib.contextmanager
def opened_payload(payload: Any, payload_format: str | None) -> Iterator[Payload]:
    """Give ``payload`` as bytes or as a stream of them.

    Raises:
        SchemaValidationError: The format is unknown or does not fit, or a file cannot be read.
    """
    chosen = infer_format(payload) if payload_format is None else check_format(payload_format)
    if chosen == "json":
        yield Payload(chosen, _as_json(payload), _SUFFIXES[chosen])
    elif chosen == "text":
        yield Payload(chosen, _as_text(payload), _SUFFIXES[chosen])
    elif isinstance(payload, Path):
        with _open(payload) as file:
            is_plain = _SAFE_SUFFIX.fullmatch(payload.suffix)
            yield Payload(chosen, file, payload.suffix if is_plain else _SUFFIXES[chosen])
    else:
        yield Payload(chosen, _as_bytes(payload), _SUFFIXES[chosen])


def infer_format(payload: Any) -> str:
    """Return the format of a payload that nobody named one for.

    >>> infer_format("note"), infer_format(b"raw"), infer_format({"mean": 0.02})
    ('text', 'bytes', 'json')
    """
    if isinstance(payload, str):
        return "text"
    is_stream = isinstance(payload, Path) or callable(getattr(payload, "read", None))
    return "bytes" if isinstance(payload, _BYTES_LIKE) or is_stream else "json"


def check_format(payload_format: str) -> str:
    """Return ``payload_format`` if there is such a format.

    Raises:
        SchemaValidationError: There is not.
    """
    if payload_format not in PAYLOAD_FORMATS:
        raise SchemaValidationError(
            f"payload_format {payload_format!r} is not valid: it must be one of "
            f"{', '.join(map(repr, PAYLOAD_FORMATS))}, or left out."
        )
    return payload_format


def decode_payload(payload_format: str, content: bytes) -> Any:
    """Return what :func:`opened_payload` was given; of JSON, what JSON says of it."""
    if payload_format == "json":
        return jsonio.loads(content)
    return content.decode() if payload_format == "text" else content


def _as_json(payload: Any) -> bytes:
    if isinstance(payload, _BYTES_LIKE):
        raise _misfit(payload, "json")
    try:
        return jsonio.dumps(payload)
    except SchemaValidationError as error:
        raise _misfit(payload, "json", error) from error


def _as_text(payload: Any) -> bytes:
    if not isinstance(payload, str):
        raise _misfit(payload, "text")
    try:
        return payload.encode()
    except UnicodeEncodeError as error:
        raise _misfit(payload, "text", error) from error


def _as_bytes(payload: Any) -> BinaryIO | bytes:
    if isinstance(payload, (bytes, bytearray)):
        return cast("bytes", payload)
    try:
        return cast("BinaryIO", _ViewStream(memoryview(payload)))
    except TypeError:
        pass
    if not callable(getattr(payload, "read", None)) or not isinstance(payload.read(0), bytes):
        raise _misfit(payload, "bytes")
    return cast("BinaryIO", payload)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise SchemaValidationError(
            f"The payload {str(path)!r} cannot be read: {error.strerror}. A Path stands for the "
            "content of a file; pass str(path) to keep the path itself as text."
        ) from error


def _misfit(payload: Any, payload_format: str, error: Exception | None = None) -> Exception:
    reason = "" if error is None else f" ({error})"
    return SchemaValidationError(
        f"A payload of type {type(payload).__name__} does not fit payload_format "
        f"{payload_format!r}, which takes {_FITTING[payload_format]}{reason}. Its own format would "
        f"be {infer_format(payload)!r}."
    )


class _ViewStream(io.RawIOBase):
    """Reads a buffer piece by piece, without a copy of all of it."""

    def __init__(self, view: memoryview) -> None:
        super().__init__()
        try:
            self._rest = view.cast("B")
        except (TypeError, ValueError):  # empty, not contiguous, or of another byte order
            self._rest = memoryview(view.tobytes())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._rest[: len(buffer)]
        buffer[: len(piece)] = piece
        self._rest = self._rest[len(piece) :]
        return len(piece)
