"""How deep a JSON text nests and how long its keys are, before anything parses it.

A parser that goes down a level for every bracket falls through the stack at some thousand of
them, and what it built is walked again by whoever checks it. So brackets are counted first, with
numpy, a piece at a time, and without a Python object for each of them.
"""

from __future__ import annotations

import numpy as np

_PIECE_BYTES = 1 << 20
_QUOTE = ord('"')
_CHANGE = np.zeros(256, dtype=np.int8)
_CHANGE[[ord("["), ord("{")]] = 1
_CHANGE[[ord("]"), ord("}")]] = -1
_BLANKS = b" \t\r\n"


def json_fault(text: bytes, *, max_depth: int, max_key_bytes: int) -> str | None:
    r"""Return what is wrong with the shape of a JSON text, None if nothing is.

    Escapes in a key count as nothing. A text that is no valid JSON may pass, but never one in
    which a parser would come deeper than ``max_depth`` before it finds that out.

    >>> json_fault(b'{"a": [1, {"b": "]]\\"[["}]}', max_depth=3, max_key_bytes=1)
    >>> json_fault(b"[[[]]]", max_depth=2, max_key_bytes=1)
    'nests deeper than 2 levels'
    """
    # Without escapes, a quote is the end of a string or its beginning, and nothing else.
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    level = 0
    opened = -1  # where the string that goes on from the piece before began, -1 if none does
    for start in range(0, len(text), _PIECE_BYTES):
        piece = np.frombuffer(text, np.uint8, min(_PIECE_BYTES, len(text) - start), start)
        quotes = np.flatnonzero(piece == _QUOTE)
        changes = _CHANGE[piece]
        brackets = np.flatnonzero(changes)
        if brackets.size:
            quotes_before = np.searchsorted(quotes, brackets) + (opened >= 0)
            outside = changes[brackets] * (quotes_before % 2 == 0)
            levels = level + np.cumsum(outside, dtype=np.int64)
            if int(levels.max()) > max_depth:
                return f"nests deeper than {max_depth} levels"
            level = int(levels[-1])
        places = quotes + start
        if opened >= 0:
            places = np.concatenate(([opened], places))
        pairs = places[: places.size - places.size % 2].reshape(-1, 2)
        opened = int(places[-1]) if places.size % 2 else -1
        for end in pairs[pairs[:, 1] - pairs[:, 0] - 1 > max_key_bytes, 1]:
            if _colon_follows(text, int(end) + 1):
                return f"has a key of more than {max_key_bytes} bytes"
    return None


def _colon_follows(text: bytes, place: int) -> bool:
    while place < len(text) and text[place] in _BLANKS:
        place += 1
    return text[place : place + 1] == b":"
