"""The slow second way to every number: one plain formula each, in long doubles, on the host."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from quark.hooks.modules import tensors_in
from quark.hooks.statistics import Statistics, StatisticsBoard, Wanted, read
from quark.records import LayerSummaryRecord

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]

#: Module, "activation" or "gradient", number of the call, way within the output.
Place = tuple[str, str, int, str]


def measured(x: Tensor, wanted: Wanted | None = None) -> Statistics | None:
    """What Quark says about one tensor."""
    board = StatisticsBoard()
    found = board.measure(x, wanted or Wanted())
    return None if found is None else read(found, board.send())


def plain_statistics(x: Tensor, wanted: Wanted | None = None) -> Statistics:
    """The same by definition, for dense tensors with at least one finite element."""
    wanted = wanted or Wanted()
    values = x.detach().cpu().double().reshape(-1).numpy()
    finite = values[np.isfinite(values)].astype(np.longdouble)
    mean = finite.sum() / finite.size
    variance = ((finite - mean) ** 2).sum() / finite.size
    near_zero = saturated = None
    if wanted.near_zero is not None:
        near_zero = float(np.sum(np.abs(finite) <= wanted.near_zero) / values.size)
    if wanted.saturation is not None:
        low, high = wanted.saturation
        width = (high or 0.0) - (low or 0.0)
        near = 1e-6 * (abs(width) if None in (low, high) else width / 2)  # counts as at a bound
        beyond = np.zeros(finite.size, dtype=bool)
        if low is not None:
            beyond |= finite <= low + near
        if high is not None:
            beyond |= finite >= high - near
        saturated = float(np.sum(beyond) / values.size)
    return Statistics(
        element_count=values.size,
        nonfinite_count=values.size - finite.size,
        mean=float(mean),
        std=float(np.sqrt(variance)),
        variance=float(variance),
        norm=float(np.sqrt((finite**2).sum())),
        minimum=float(finite.min()) if wanted.extremes else None,
        maximum=float(finite.max()) if wanted.extremes else None,
        near_zero_ratio=near_zero,
        saturation_ratio=saturated,
    )


def check_statistics(found: Statistics, expected: Statistics, *, lost: float = 0.0) -> None:
    """Counts, ratios and extremes are exact; the rest to what float32 can hold of such numbers.

    ``lost``: what a square that float32 has no room for may take from ``std`` and ``norm``.
    """
    assert expected.norm is not None
    size = expected.norm / math.sqrt(expected.element_count - expected.nonfinite_count)
    near = 2e-6 * size + lost
    assert found[:2] == expected[:2]
    assert found[6:8] == expected[6:8]
    assert found[8:] == pytest.approx(expected[8:], abs=1e-7)
    assert found.mean == pytest.approx(expected.mean, abs=near)
    assert found.std == pytest.approx(expected.std, rel=1e-4, abs=near)
    assert found.norm == pytest.approx(expected.norm, rel=1e-5, abs=lost * found.element_count)


class ByHand:
    """Clones of all outputs and gradients of ``model``'s leaf modules, by its own hooks."""

    def __init__(self, model: nn.Module) -> None:
        self.tensors: dict[Place, Tensor] = {}
        self._calls: dict[str, int] = {}
        self._hooks = [
            module.register_forward_hook(self._hook(name))
            for name, module in model.named_modules()
            if next(module.children(), None) is None
        ]

    def __enter__(self) -> ByHand:
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def on_output(module: nn.Module, args: Any, output: Any) -> None:
            call = self._calls.get(name, 0)
            self._calls[name] = call + 1
            for path, tensor in tensors_in(output):
                self.tensors[name, "activation", call, path] = tensor.detach().clone()
                if tensor.requires_grad:
                    place = (name, "gradient", call, path)
                    tensor.register_hook(self._gradient_hook(place))  # type: ignore[no-untyped-call]

        return on_output

    def _gradient_hook(self, place: Place) -> Callable[[Tensor], None]:
        def on_gradient(gradient: Tensor) -> None:
            self.tensors[place] = gradient.detach().clone()

        return on_gradient


def place_of(summary: LayerSummaryRecord) -> Place:
    path = str(summary.metadata.get("output", ""))
    return summary.module_name, summary.summary_type, summary.call_index, path


def check_summaries(
    found: tuple[LayerSummaryRecord, ...], expected: dict[Place, Tensor], *, scale: float = 1.0
) -> None:
    """Each tensor has its summary, and the numbers in it are the tensor's."""
    assert sorted(map(place_of, found)) == sorted(expected)
    for summary in found:
        tensor = expected[place_of(summary)]
        plain = plain_statistics(tensor.double() / scale)
        check_statistics(
            plain._replace(
                element_count=summary.element_count,
                nonfinite_count=summary.metadata.get("nonfinite_count", 0),
                mean=summary.mean,
                std=summary.std,
                variance=summary.variance,
                norm=summary.norm,
            ),
            plain,
        )
        assert summary.tensor_shape == tuple(tensor.shape)
        if summary.summary_type == "activation":
            zeros = int((tensor == 0).sum()) / tensor.numel()
            assert summary.dead_unit_ratio == pytest.approx(zeros, abs=1e-7)


def small_tensors() -> Iterator[Tensor]:
    """Tensors of every layout that a layer may put out."""
    torch.manual_seed(0)
    x = torch.randn(4, 6, 5, 3)
    yield x
    yield x.transpose(1, 3)[:, ::2]
    yield x.contiguous(memory_format=torch.channels_last)
    yield torch.randn(3, 1).expand(3, 1000)
    yield torch.tensor(0.1).expand(30, 70)  # as the gradient of a sum
    yield torch.tensor(2.5)
    yield torch.randn(1, 1)
    yield nn.Parameter(torch.randn(7))
