"""How far a reader of a run's changes has come: an opaque text that the reader brings back.

Nothing is kept for a reader by the service, so that a cursor holds for any of its processes and
across restarts. It says which records and points were given, by what the store itself counts:

* records by their position in the order of arrival;
* points by writer: every one up to a frame was given (``given``), and while an answer is cut into
  several, up to which frame they will be (``target``), and at which key and point the next goes on;
* per key how many points need not be looked at again (``skipped``): all that were not given yet are
  among those behind them in the order of arrival. For runs of very many keys only the sum is in
  the cursor; that is enough, if slower.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quark import jsonio
from quark.errors import SchemaValidationError

MAX_CURSOR_CHARACTERS = 32_768
_MAX_UNPACKED_BYTES = 1 << 20
_VERSION = 1
#: Keys up to which a cursor has a count of its own for each.
_MAX_COUNTED_KEYS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCursor:
    """A place in the changes of one run; see the module."""

    run_stamp: str  # tells a run from a later one of the same id
    position: int = 0
    given: Mapping[str, int] = field(default_factory=dict)
    target: Mapping[str, int] | None = None
    key_index: int = 0
    key_offset: int = 0
    skipped_sum: int = 0
    skipped: tuple[int, ...] | None = None
    keys_crc: int = 0  # of the keys that ``skipped`` is of
    tailed: bool = False  # points were left out at the beginning

    def encode(self) -> str:
        """Return the text that stands for this."""
        plain = [
            _VERSION,
            self.run_stamp,
            self.position,
            self.given,
            self.target,
            self.key_index,
            self.key_offset,
            self.skipped_sum,
            self.skipped,
            self.keys_crc,
            self.tailed,
        ]
        return pack_text(plain)

    @classmethod
    def decode(cls, text: str) -> RunCursor:
        """Read what :meth:`encode` wrote.

        Raises:
            SchemaValidationError: It is no cursor.
        """
        plain = unpack_text(text)
        try:
            version, stamp, position, given, target, index, offset, total, skipped, crc, tailed = (
                plain
            )
            numbers = (position, index, offset, total, crc, *(skipped or ()))
            frames = (*given.values(), *(target or {}).values())
            fine = (
                version == _VERSION
                and type(stamp) is str
                and type(tailed) is bool
                and all(type(number) is int and 0 <= number < 2**63 for number in numbers)
                and all(type(number) is int and 0 <= number < 2**63 for number in frames)
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise not_a_cursor(text) from error
        if not fine:
            raise not_a_cursor(text)
        return cls(
            run_stamp=stamp,
            position=position,
            given=given,
            target=target,
            key_index=index,
            key_offset=offset,
            skipped_sum=total,
            skipped=None if skipped is None else tuple(skipped),
            keys_crc=crc,
            tailed=tailed,
        )


def counted(keys: Iterable[str], skipped: Iterable[int]) -> dict[str, Any]:
    """Return the fields of a cursor that say how many points of each key are behind it."""
    names, numbers = list(keys), tuple(skipped)
    if len(names) > _MAX_COUNTED_KEYS:
        return {"skipped_sum": sum(numbers), "skipped": None, "keys_crc": 0}
    return {"skipped_sum": sum(numbers), "skipped": numbers, "keys_crc": crc_of(names)}


def crc_of(keys: Iterable[str]) -> int:
    """Return a checksum of keys in their order."""
    return zlib.crc32("\0".join(keys).encode("utf-8", "replace"))


def pack_text(plain: object) -> str:
    """Return JSON as text that is safe in a URL."""
    packed = zlib.compress(jsonio.dumps(plain), 6)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def unpack_text(text: str) -> list[Any]:
    """Return the list that :func:`pack_text` was given.

    Raises:
        SchemaValidationError: It is none, or a damaged one.
    """
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(packed, _MAX_UNPACKED_BYTES)
        if not unpacker.eof:
            raise not_a_cursor(text)
        plain = jsonio.loads(content)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise not_a_cursor(text) from error
    if not isinstance(plain, list):
        raise not_a_cursor(text)
    return plain


def not_a_cursor(text: str) -> SchemaValidationError:
    """Return the error that says so."""
    return SchemaValidationError(
        f"after {text[:40]!r} is no cursor of this service: give the cursor of an earlier answer "
        "as it was, or leave it out to begin."
    )
