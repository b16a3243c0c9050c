"""The shape of a JSON text is what a parser that walks it finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from quark.service import json_shape
from quark.service.json_shape import json_fault

TEXT = st.text(alphabet='ab"\\[]{}:, \n\u00e9\ud83d\ude00', max_size=12)
VALUES = st.recursive(
    st.none() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def keys_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in keys_of(item))]
    return [key for item in value for key in keys_of(item)] if isinstance(value, list) else []


@settings(max_examples=150)
@given(VALUES, st.booleans(), st.sampled_from([1, 2, 3, 7, 1 << 20]))
def test_depth_and_keys_are_those_of_the_value(value: Any, ascii_only: bool, piece: int) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1).encode("utf-8", "surrogatepass")
    depth = depth_of(value)
    # As the text has them, without the escapes of quotes and backslashes.
    written = [json.dumps(key, ensure_ascii=ascii_only)[1:-1] for key in keys_of(value)]
    plain = [key.replace("\\\\", "").replace('\\"', "") for key in written]
    longest = max((len(key.encode("utf-8", "surrogatepass")) for key in plain), default=0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_shape, "_PIECE_BYTES", piece)

        assert json_fault(text, max_depth=depth, max_key_bytes=longest) is None
        if depth:
            fault = json_fault(text, max_depth=depth - 1, max_key_bytes=longest)
            assert fault == f"nests deeper than {depth - 1} levels"
        if longest:
            fault = json_fault(text, max_depth=depth, max_key_bytes=longest - 1)
            assert fault == f"has a key of more than {longest - 1} bytes"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"[" * 1_000_000, id="open brackets"),
        pytest.param(b'{"a":' * 300_000, id="open braces"),
        pytest.param(b'["\\""' + b",[" * 100_000, id="behind an escaped quote"),
        pytest.param(b'["\\\\",' + b"[" * 100_000, id="behind an escaped backslash"),
        pytest.param(b'["[[[[",' + b'{"]]]":[' * 100_000, id="brackets in strings do not help"),
        pytest.param(b" " * (1 << 20) + b"[" * 65, id="behind a megabyte of blanks"),
    ],
)
def test_a_bomb_is_seen(text: bytes) -> None:
    assert json_fault(text, max_depth=64, max_key_bytes=100) == "nests deeper than 64 levels"


@pytest.mark.parametrize(
    "text",
    [b"", b'"', b"\\", b'\\"[', b"]]]]", b"\xff\xfe[", b"nonsense", b'{"a', b"[1, 2", b'"' * 99],
)
def test_what_is_no_json_is_left_to_the_parser(text: bytes) -> None:
    assert json_fault(text, max_depth=64, max_key_bytes=100) is None
