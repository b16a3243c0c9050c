"""Probes side by side, compared with a loop over rows."""

from __future__ import annotations

from statistics import median

import numpy as np
from hypothesis import given, settings, strategies as st

from quark.analyzers.probe_matrix import (
    MAX_PROBES,
    ProbeMatrix,
    lasting_peaks,
    longest_stretches,
    probe_matrix,
)
from tests.analyzers.building import layer

NUMBERS = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6))
ROWS = st.lists(st.lists(NUMBERS, max_size=9), max_size=6)


def matrix(rows: list[list[float]]) -> ProbeMatrix:
    return probe_matrix([layer(row) for row in rows], "norm")


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_medians_are_those_of_each_row_alone(rows: list[list[float]]) -> None:
    measured = [[value for value in row if value == value] for row in rows]
    made = matrix(rows)

    assert made.count.tolist() == [len(row) for row in measured]
    assert made.total == sum(len(row) for row in measured)
    for got, some in (
        (made.median(), measured),
        (made.first(3), [row[:3] for row in measured]),
        (made.last(3), [row[-3:] for row in measured]),
    ):
        expected = [median(row) if row else float("nan") for row in some]
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_lasting_peaks_are_the_highest_middle_of_three(rows: list[list[float]]) -> None:
    peaks, _ = lasting_peaks(matrix(rows))

    for got, row in zip(peaks, rows, strict=True):
        finite = [value for value in row if value == value]
        if len(finite) >= 3:
            three = zip(finite, finite[1:], finite[2:], strict=False)
            assert got == max(sorted(values)[1] for values in three)
        else:
            assert np.isnan(got) if not finite else got == min(finite)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 8).flatmap(
        lambda width: st.lists(
            st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=5
        )
    )
)
def test_longest_stretches_are_those_of_each_row_alone(rows: list[list[bool]]) -> None:
    starts, lengths = longest_stretches(np.array(rows, bool).reshape(len(rows), -1))

    for start, length, row in zip(starts, lengths, rows, strict=True):
        runs = "".join("x" if mark else " " for mark in row).split()
        assert length == max((len(run) for run in runs), default=0)
        assert all(row[start : start + length])


def test_long_rows_are_thinned_out_and_keep_their_ends() -> None:
    values = np.arange(10_000.0)
    made = probe_matrix([layer(values), layer([1.0, 2.0])], "norm")

    assert made.count.tolist() == [MAX_PROBES, 2]
    assert made.value[0, 0] == 0.0
    assert made.steps() == (0, 99_990)
    assert made.span_steps == 99_990
    assert abs(made.median()[0] - 5_000) < 30
    assert made.value[1, :2].tolist() == [1.0, 2.0]
