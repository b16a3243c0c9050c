"""Packed columns give back every bit, whatever went in."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from quark.errors import DamagedFileError
from quark.storage.axis import Axis, axis_stats, decode_axis, encode_axis
from quark.storage.blob_frame import CHUNK_MAGIC, seal, unseal
from quark.storage.chunk import chunk_stats, decode_chunk, encode_chunks
from quark.storage.columns import pack_ints, pack_values, unpack_ints, unpack_values
from quark.storage.model import NO_STEP, PointBlock
from quark.storage.segment import decode_segment, encode_segment

LENGTHS = st.one_of(st.integers(1, 40), st.sampled_from([4095, 4096, 4097]))


def some_ints(length: int, seed: int) -> dict[str, Any]:
    """Columns such as steps, times and frame numbers, and some that are nothing like them."""
    generator = np.random.default_rng(seed)
    jitter = generator.integers(0, 300, length)
    return {
        "constant": np.full(length, seed - 1),
        "progression": np.arange(length) * (seed + 1) - 5,
        "falling": -np.arange(length),
        "times": 10**15 + np.arange(length) * 1_400 + jitter,
        "missing": np.where(jitter < 3, NO_STEP, np.arange(length)),
        "restarting": np.arange(length) % 17,
        "all bits": generator.integers(NO_STEP, 2**63 - 1, length),
        "edges": generator.choice([NO_STEP, 2**63 - 1, 0, -1], length),
    }


def some_values(length: int, seed: int) -> dict[str, Any]:
    """Values such as losses and counters, and every float there is."""
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal(length)
    return {
        "single": noise.astype(np.float32).astype(np.float64),
        "double": noise,
        "half": noise.astype(np.float16).astype(np.float64),
        "whole": np.rint(noise * 1_000),
        "counter": np.arange(length) * 64.0,
        "constant": np.full(length, 3e-4),
        "any bits": generator.integers(0, 2**64, length, dtype=np.uint64).view(np.float64),
        "odd": generator.choice([0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 2.0**63], length),
        "large whole": generator.choice([2.0**53, -(2.0**63), 1e22, 7.0], length),
    }


def bits(values: Any) -> list[int]:
    found: list[int] = np.ascontiguousarray(values).view(np.int64).tolist()
    return found


@given(LENGTHS, st.integers(0, 99), st.booleans())
def test_integers_come_back(length: int, seed: int, deflate: bool) -> None:
    for column in some_ints(length, seed).values():
        packed = pack_ints(column.astype(np.int64), deflate=deflate)

        assert unpack_ints(packed, length).tolist() == column.tolist()
        assert len(packed) <= 8 * length + 5


@given(arrays.arrays(np.int64, st.integers(1, 30)))
def test_any_integers_come_back(column: Any) -> None:
    assert unpack_ints(pack_ints(column), len(column)).tolist() == column.tolist()


@given(LENGTHS, st.integers(0, 99))
def test_values_come_back_bit_for_bit(length: int, seed: int) -> None:
    matrix = np.stack(list(some_values(length, seed).values()))

    for row, packed in zip(matrix, pack_values(matrix), strict=True):
        assert bits(unpack_values(packed, length)) == bits(row)
        assert len(packed) <= 8 * length + 16


@given(
    arrays.arrays(np.uint64, st.tuples(st.integers(1, 4), st.integers(1, 30))).map(
        lambda array: array.view(np.float64)
    )
)
def test_any_values_come_back_bit_for_bit(matrix: Any) -> None:
    found = [unpack_values(packed, matrix.shape[1]) for packed in pack_values(matrix)]

    assert [bits(row) for row in found] == [bits(row) for row in matrix]


@pytest.mark.parametrize(
    ("name", "limit"),
    [("constant", 13), ("counter", 26), ("half", 3.2), ("single", 3.9), ("whole", 2.2)],
)
def test_what_has_little_in_it_takes_little(name: str, limit: float) -> None:
    column = some_values(4096, 1)[name]

    size = len(pack_values(column[None, :])[0])

    assert size <= limit if limit > 10 else size / 4096 <= limit


@given(LENGTHS, st.integers(0, 99), st.data())
def test_an_axis_comes_back(length: int, seed: int, data: st.DataObject) -> None:
    columns = some_ints(length, seed)
    names = data.draw(st.lists(st.sampled_from(sorted(columns)), min_size=5, max_size=5))
    axis = Axis(*(columns[name].astype(np.int64) for name in names))

    blob = encode_axis(axis)

    assert [c.tolist() for c in decode_axis(blob)] == [c.tolist() for c in axis]
    assert decode_axis(blob, steps_only=True).step.tolist() == axis.step.tolist()


def test_an_axis_knows_its_ranges_and_whether_it_is_ordered() -> None:
    def stats(steps: list[int]) -> Any:
        column = np.array(steps)
        return axis_stats(Axis(column * 0, column * 0, column, column * 0 + NO_STEP, column * 0))

    assert (stats([3, 3, 5]).step_min, stats([3, 3, 5]).step_max) == (3, 5)
    assert stats([3, 3, 5]).epoch_min is None
    assert [stats(steps).is_ordered for steps in ([3, 3, 5], [5, 3], [3, NO_STEP], [7])] == [
        True,
        False,
        False,
        True,
    ]
    assert stats([NO_STEP, NO_STEP]).step_max is None
    assert stats([NO_STEP, 4, NO_STEP]).last_step is None


@given(LENGTHS, st.integers(0, 99))
def test_a_chunk_comes_back_with_true_stats(length: int, seed: int) -> None:
    matrix = np.stack(list(some_values(length, seed).values()))

    for row, blob, stats in zip(matrix, encode_chunks(matrix), chunk_stats(matrix), strict=True):
        finite = [value for value in row.tolist() if np.isfinite(value)]
        assert bits(decode_chunk(blob)) == bits(row)
        assert stats.nonfinite_count == length - len(finite)
        assert stats.minimum == min(finite, default=None)
        assert stats.maximum == max(finite, default=None)
        assert stats.last == row[-1] or (stats.last is None and np.isnan(row[-1]))
        scale = max((abs(value) for value in finite), default=0)
        if scale < 1e300:
            assert stats.total == pytest.approx(sum(finite), abs=scale * length * 1e-12)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=4))
def test_a_segment_comes_back(shapes: list[tuple[int, int]]) -> None:
    generator = np.random.default_rng(len(shapes))
    blocks, keys = [], []
    for rows, columns in shapes:
        ints = generator.integers(0, 9, (4, rows))
        values = generator.choice([0.1, float(np.float32(0.1)), np.nan, -0.0], (rows, columns))
        names = tuple(f"k{place}" for place in range(columns))
        seq, step, epoch, time_us = ints
        blocks.append(
            PointBlock(keys=names, seq=seq, step=step, epoch=epoch, time_us=time_us, values=values)
        )
        keys.append(generator.permutation(100)[:columns])

    blob = encode_segment(3, blocks, [pack_ints(numbers) for numbers in keys])

    for sent, numbers, found in zip(blocks, keys, decode_segment(blob), strict=True):
        axis = found.axis()
        assert axis.writer.tolist() == [3] * len(sent.seq)
        assert axis.seq.tolist() == sent.seq.tolist()
        assert axis.step.tolist() == sent.step.tolist()
        assert axis.epoch.tolist() == sent.epoch.tolist()
        assert axis.time_us.tolist() == sent.time_us.tolist()
        for place, number in enumerate(numbers.tolist()):
            column = found.column(number)
            assert column == place
            assert bits(found.values_of(place)) == bits(sent.values[:, place])
        assert found.column(100) is None


def test_any_flipped_bit_is_noticed() -> None:
    blob = encode_chunks(np.random.default_rng(0).standard_normal((1, 20)))[0]

    for place in range(len(blob)):
        for bit in range(8):
            damaged = bytearray(blob)
            damaged[place] ^= 1 << bit
            with pytest.raises(DamagedFileError):
                decode_chunk(bytes(damaged))


@given(st.binary(max_size=60), st.integers(1, 50))
def test_nonsense_is_damaged_and_nothing_else(content: bytes, count: int) -> None:
    blob = seal(CHUNK_MAGIC, content)
    for read in (
        lambda: unpack_ints(content, count),
        lambda: unpack_values(content, count),
        lambda: decode_chunk(blob),
        lambda: decode_axis(seal(b"QAX1", content)),
        lambda: decode_segment(seal(b"QSG1", content)),
        lambda: unseal(CHUNK_MAGIC, content),
    ):
        with contextlib.suppress(DamagedFileError):
            read()
