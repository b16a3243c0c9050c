"""Statistics are those of a plain slow formula, the short way on a CPU and the way on a device."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from hypothesis import example, given, settings, strategies as st
from torch import Tensor

from quark.hooks import kernels, statistics
from quark.hooks.statistics import Statistics, StatisticsBoard, Wanted, read
from tests.hooks.plainly import (
    DEVICES,
    check_statistics,
    measured,
    plain_statistics,
    small_tensors,
)

NAN, INF = float("nan"), float("inf")
EVERYTHING = Wanted(near_zero=0.5, saturation=(-2.0, 4.0), extremes=True)
#: Squares below float32's smallest number take up to this much from ``std`` on a device.
LOST = 1.1e-19

FINITE = st.sampled_from([0.0, 0.5, -0.5, 1.0, 1e-40, 1e-20, 1e-4]) | st.floats(
    -(2.0**50), 2.0**50, width=32, allow_subnormal=True
)
VALUES = st.lists(FINITE | st.sampled_from([NAN, INF, -INF]), min_size=1, max_size=40)
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])


@pytest.fixture(params=["the-short-way", "as-on-a-device"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The second is what runs on a device: without the short way, and in the tensor's type."""
    if request.param == "as-on-a-device":
        as_on_a_device(monkeypatch)
    return str(request.param)


def as_on_a_device(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(statistics, "moments_on_cpu", lambda x: None)
    patch.setattr(statistics, "in_double", lambda x: x)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("short", [True, False])
@settings(max_examples=120)
@given(VALUES, DTYPES)
@example([0.0] * 9, torch.float32)
@example([0.1] * 33, torch.float32)
@example([1e-30, -1e-30, 3e-30], torch.float32)
@example([1000.0, 1000.001, 999.999], torch.float32)
@example([NAN] + [1e14] * 20, torch.float32)
@example([INF, -INF, 1.0, 2.0], torch.bfloat16)
@example([65504.0, 65504.0, -3.0], torch.float16)
def test_statistics_are_those_of_the_plain_formula(
    device: str, short: bool, values: list[float], dtype: torch.dtype
) -> None:
    x = torch.tensor(values, dtype=torch.float64).to(dtype).to(device)
    with pytest.MonkeyPatch.context() as patch:
        if not short:
            as_on_a_device(patch)

        found = measured(x, EVERYTHING)

    assert found is not None
    if not torch.isfinite(x).any():
        assert found == Statistics(x.numel(), x.numel(), None, None, None, None)
        return
    check_statistics(found, plain_statistics(x, EVERYTHING), lost=LOST)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_statistics_do_not_depend_on_layout_or_size(
    device: str, dtype: torch.dtype, way: str
) -> None:
    torch.manual_seed(1)
    many = torch.randn(2**20 + 3) * 3 + 1
    for x in (*small_tensors(), many, many[:70_001], torch.full((300_000,), 0.1)):
        x = x.to(dtype).to(device)
        found = measured(x, EVERYTHING)
        assert found is not None
        check_statistics(found, plain_statistics(x, EVERYTHING))


def test_a_mean_far_from_zero_does_not_drown_the_deviations(way: str) -> None:
    torch.manual_seed(0)
    x = 1000 + torch.randn(50_000) * 1e-3

    found = measured(x)

    assert found is not None
    assert found.std == pytest.approx(plain_statistics(x).std, rel=0.02)


@pytest.mark.parametrize("size", [1, 3, 2**20 + 1])
@pytest.mark.parametrize("value", [1e-25, 1e19, 1e30, 3e38])
def test_on_a_cpu_all_of_float32_has_right_statistics(size: int, value: float) -> None:
    above = torch.linspace(0.1, 1, size) * value
    x = torch.cat([-above, torch.zeros(1), above])

    found = measured(x, Wanted(near_zero=0.0))

    assert found is not None
    expected = plain_statistics(x.double() / value)
    assert found.divided_by(value)[:6] == pytest.approx(expected[:6], rel=1e-4, abs=1e-6)
    assert found.near_zero_ratio == 1 / x.numel()


def test_what_cannot_be_squared_on_a_device_is_infinite_or_zero_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_on_a_device(monkeypatch)

    large = measured(torch.tensor([1e30, 3e30, NAN]), EVERYTHING)
    larger = measured(torch.tensor([3e38, 3e38, -3e38, -3e38] * 50), EVERYTHING)
    small = measured(torch.tensor([1e-30, -1e-30]), Wanted(near_zero=0.0))

    assert large is not None
    assert large.mean == pytest.approx(2e30)
    assert (large[:2], large[3:6]) == ((3, 1), (INF, INF, INF))
    assert large.minimum == pytest.approx(1e30)
    assert large.near_zero_ratio == 0.0
    assert larger is not None
    assert larger[3:6] == (INF, INF, INF)
    assert small is not None
    assert small[:6] == (2, 0, 0.0, 0.0, 0.0, 0.0)
    assert small.near_zero_ratio == 0.0


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_without_a_finite_element_there_are_counts_alone(value: float, way: str) -> None:
    found = measured(torch.full((2, 3), value), EVERYTHING)

    assert found == Statistics(6, 6, None, None, None, None)
    assert found.divided_by(8.0) == found


def special_layouts() -> dict[str, tuple[Tensor, Tensor | None]]:
    """Tensors that are not plain, each with the plain one that has the same elements; with None
    where there are no numbers to measure."""
    x = torch.randn(4, 5).relu()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        csr = x.to_sparse_csr()
        twice = torch.sparse_coo_tensor(torch.tensor([[0, 0, 2]]), torch.ones(3), (4,))
        strided = torch.nested.nested_tensor([x[:1], x[1:]])
        jagged = torch.nested.nested_tensor([x[:1], x[1:]], layout=torch.jagged)
    return {
        "sparse": (x.to_sparse(), x),
        "sparse, one place twice": (twice, torch.tensor([2.0, 0.0, 1.0, 0.0])),
        "sparse rows": (csr, x),
        "nested": (strided, x),
        "jagged": (jagged, x),
        "a parameter": (torch.nn.Parameter(x), x),
        "of negative numbers only in name": (torch._neg_view(x), -x),
        "empty": (torch.empty(0, 3), None),
        "integers": (torch.arange(3), None),
        "booleans": (torch.ones(3, dtype=torch.bool), None),
        "complex": (torch.ones(3, dtype=torch.complex64), None),
        "meta": (torch.empty(3, device="meta"), None),
    }


@pytest.mark.parametrize("layout", special_layouts())
def test_other_layouts_are_measured_by_their_elements_or_left_out(layout: str, way: str) -> None:
    x, same = special_layouts()[layout]
    if same is None:
        assert measured(x, EVERYTHING) is None
        return
    found = measured(x, EVERYTHING)

    assert found is not None
    check_statistics(found, plain_statistics(same, EVERYTHING))


@pytest.mark.parametrize(
    ("bounds", "values", "saturated"),
    [
        pytest.param((0.05, 0.95), [0.0, 0.05, 0.051, 0.5, 0.95, 1.0], 4, id="sigmoid"),
        pytest.param((-0.95, 0.95), [-1.0, -0.95, -0.94, 0.0, 0.95, NAN], 3, id="tanh"),
        pytest.param((None, 5.7), [0.0, 5.6, 5.7, 6.0, INF, 7.0], 3, id="upper-alone"),
        pytest.param((-1.0, None), [0.0, -0.99, -1.0, -2.0, -INF, 7.0], 2, id="lower-alone"),
        pytest.param((0.7, 0.3), [0.0, 0.3, 0.5, 0.7, NAN, 1.0], 5, id="bounds-that-overlap"),
        pytest.param((0.0, 0.0), [0.0, 0.3, -0.5, 0.0, INF, 1.0], 5, id="bounds-that-meet"),
    ],
)
def test_saturated_is_at_or_beyond_a_bound(
    bounds: tuple[float | None, float | None], values: list[float], saturated: int, way: str
) -> None:
    found = measured(torch.tensor(values), Wanted(saturation=bounds))

    assert found is not None
    assert found.saturation_ratio == pytest.approx(saturated / len(values))


def test_one_board_takes_tensors_of_several_types_and_keeps_them_apart(way: str) -> None:
    board = StatisticsBoard()
    tensors = [
        torch.randn(30 + n).to(dtype)
        for n, dtype in enumerate([torch.float32, torch.float64, torch.bfloat16] * 5)
    ]
    scale = board.add(torch.tensor(8.0, dtype=torch.float64))
    slots = [
        board.measure(x, EVERYTHING if n % 2 else Wanted(near_zero=0.0))
        for n, x in enumerate(tensors)
    ]

    sent = board.send()

    assert sent.value(scale) == 8.0
    for n, (x, slot) in enumerate(zip(tensors, slots, strict=True)):
        assert slot is not None
        plain = plain_statistics(x, EVERYTHING if n % 2 else Wanted(near_zero=0.0))
        check_statistics(read(slot, sent), plain)
        check_statistics(read(slot, sent, 8.0), plain.divided_by(8.0))
    assert board.send().size_bytes == 0
    assert sent.ready()


@given(VALUES, st.sampled_from([2.0, 65536.0]))
@settings(max_examples=30)
def test_dividing_statistics_is_dividing_the_tensor(values: list[float], scale: float) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    wanted = Wanted(extremes=True)
    found, divided = measured(x, wanted), measured(x / scale, wanted)

    assert found is not None
    assert divided is not None
    for one, other in zip(found.divided_by(scale), divided, strict=True):
        assert one == (None if other is None else pytest.approx(other, rel=1e-9, abs=1e-20))


def test_counting_is_exact_beyond_what_float32_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_EXACT_FLOAT32", 10)  # 2**24 ones take a second
    as_on_a_device(monkeypatch)
    x = torch.randn(1001)

    found = measured(x, EVERYTHING)

    assert found is not None
    check_statistics(found, plain_statistics(x, EVERYTHING))
    assert math.isfinite(found.norm or NAN)
