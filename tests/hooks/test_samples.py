"""What is sampled often is sampled cheaply: runs of neighbours, many histograms by few calls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

from quark.hooks.allowance import Allowance
from quark.hooks.histograms import histogram
from quark.hooks.many_histograms import histograms
from quark.hooks.parameter_samples import ParameterSampler
from tests.support.clock import FakeClock


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.large = nn.Linear(256, 300)
        self.convolution = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.brain = nn.Linear(8, 8, bias=False, dtype=torch.bfloat16)
        self.frozen = nn.Parameter(torch.ones(5), requires_grad=False)
        self.odd = nn.Parameter(torch.ones(3, dtype=torch.complex64))


def test_all_of_small_tensors_and_spread_runs_of_large_ones_are_taken() -> None:
    model = Model()
    with torch.no_grad():
        model.large.weight.copy_(torch.arange(256 * 300).view(300, 256))
    model.large.weight.grad = torch.ones_like(model.large.weight)
    sampler = ParameterSampler(model, max_sample=4096)

    taken = sampler.take(["value", "gradient"])
    found = {(name, kind): sample.copy() for name, kind, sample in taken.read()}

    weight = found["large.weight", "value"].astype(np.int64)
    assert len(weight) == len(set(weight.tolist())) == 4096
    assert len({number // 256 for number in weight.tolist()}) >= 64  # rows
    columns = np.bincount(weight % 256, minlength=256)
    assert columns.min() > 0  # of every column some
    assert found["large.weight", "gradient"].tolist() == [1.0] * 4096
    assert sorted(found["convolution.weight", "value"]) == pytest.approx(
        sorted(model.convolution.weight.detach().flatten().tolist())
    )
    assert found["brain.weight", "value"].tolist() == model.brain.weight.float().flatten().tolist()
    assert found["frozen", "value"].tolist() == [1.0] * 5
    assert not {("odd", "value"), ("frozen", "gradient")} & found.keys()


def test_parameters_that_come_later_are_seen_in_time() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    sampler = ParameterSampler(model, max_sample=64)
    names = []
    for turn in range(33):
        names.append({name for name, _, _ in sampler.take(["value"]).read()})
        if turn == 0:
            model.append(nn.Linear(2, 3))

    assert names[0] == {"0.weight", "0.bias"}
    assert names[-1] == {"0.weight", "0.bias", "1.weight", "1.bias"}


numbers = st.lists(st.floats(width=32), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=5), st.integers(1, 70))
def test_many_histograms_are_the_single_ones(lists: list[list[float]], bins: int) -> None:
    arrays = [np.array(values, dtype=np.float32) for values in lists]

    for array, (edges, counts) in zip(arrays, histograms(arrays, bins), strict=True):
        alone = histogram(array, bins)

        assert sum(counts) == int(alone.counts.sum())
        assert edges == pytest.approx(alone.edges.tolist(), rel=1e-5, abs=1e-30)
        for place, edge in enumerate(edges[1:-1], start=1):  # all but what lies at an edge
            near = np.count_nonzero(
                np.isclose(array, edge, rtol=1e-4, atol=1e-5 * abs(edges[-1] - edges[0]))
            )
            assert abs(sum(counts[:place]) - int(alone.counts[:place].sum())) <= near


def test_an_allowance_is_a_share_of_the_time_and_something_to_begin_with() -> None:
    clock = FakeClock()
    allowance = Allowance(share=0.01, free_seconds=0.1, clock=clock)

    assert allowance.is_left()
    allowance.spend(0.1)
    assert allowance.is_left()
    allowance.spend(0.5)
    assert not allowance.is_left()
    clock.advance(49.0)
    assert not allowance.is_left()
    clock.advance(2.0)
    assert allowance.is_left()
