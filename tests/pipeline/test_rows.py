"""Whatever is logged comes back from its frame as what it was."""

from __future__ import annotations

import math
import struct
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.pipeline.frames import ROW, ROW_EXACT
from quark.pipeline.rows import decode_exact, encode_row

KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
SCALARS = st.floats() | st.integers(-(2**80), 2**80) | st.booleans() | st.none() | KEYS


def read_back(data: Any) -> dict[str, Any]:
    kind, body = encode_row(data)
    row = jsonio.loads(body)
    assert isinstance(row, dict)
    return row if kind == ROW else decode_exact(row)


def bits(value: Any) -> Any:
    return struct.pack(">d", value) if isinstance(value, float) else value


@given(st.dictionaries(KEYS, SCALARS, max_size=8))
def test_a_row_of_scalars_comes_back_bit_for_bit(data: dict[str, Any]) -> None:
    found = read_back(data)

    assert found.keys() == data.keys()
    for key, value in data.items():
        assert bits(found[key]) == bits(value)
        assert type(found[key]) is type(value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param(np.float32(0.1), float(np.float32(0.1)), id="float32-exactly"),
        pytest.param(np.float64(0.1), 0.1, id="float64"),
        pytest.param(np.int16(-3), -3, id="int16"),
        pytest.param(np.bool_(True), True, id="numpy-bool"),
        pytest.param(np.array([1.5, 2.5]), [1.5, 2.5], id="array"),
        pytest.param(np.array(3), 3, id="0-d-array"),
        pytest.param(torch.tensor(0.5, requires_grad=True), 0.5, id="tensor-with-grad"),
        pytest.param(torch.tensor(0.5, dtype=torch.bfloat16), 0.5, id="bfloat16"),
        pytest.param((1, 2), [1, 2], id="tuple"),
        pytest.param({"a": {"b": np.float32(2)}}, {"a": {"b": 2.0}}, id="nested"),
        pytest.param("null", "null", id="the-word-null"),
        pytest.param("NaN", "NaN", id="the-word-NaN"),
        pytest.param(2**63, 2**63, id="beyond-int64"),
        pytest.param(10**30, 10**30, id="beyond-uint64"),
    ],
)
def test_a_value_becomes_what_it_means(value: Any, kept: Any) -> None:
    assert read_back({"key": value, "other": 1.0}) == {"key": kept, "other": 1.0}


@pytest.mark.parametrize(
    "value", [np.float32("nan"), np.float64("inf"), torch.tensor(float("-inf")), float("nan")]
)
def test_numbers_that_are_not_finite_are_data(value: Any) -> None:
    found = read_back({"loss": value, "step": 1})["loss"]

    expected = float(value)
    assert found == expected or (math.isnan(found) and math.isnan(expected))


@pytest.mark.parametrize("data", [OrderedDict(a=1.0), MappingProxyType({"a": 1.0})])
def test_any_mapping_is_taken(data: Any) -> None:
    assert read_back(data) == {"a": 1.0}


def test_the_common_case_is_not_walked_in_python() -> None:
    assert encode_row({"loss": 0.5, "note": "fine"})[0] == ROW
    assert encode_row({"loss": None})[0] == ROW_EXACT


@pytest.mark.parametrize("key", [1, None, (1, 2)])
def test_a_key_that_is_no_string_is_refused(key: Any) -> None:
    with pytest.raises(SchemaValidationError, match="must be strings"):
        encode_row({key: 1.0})


def test_what_has_no_form_is_refused_and_what_contains_itself_too() -> None:
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(SchemaValidationError, match="object"):
        encode_row({"x": object()})
    with pytest.raises(SchemaValidationError, match=r"itself|deeper"):
        encode_row({"x": loop})
