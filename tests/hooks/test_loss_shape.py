"""Which loss it is: told from torch's own gradients, for every loss in every reduction and sign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn import functional

from quark.hooks.loss_shape import LossShape, recognise

Loss = Callable[[Tensor, Tensor, str], Tensor]


def cross_entropy(z: Tensor, t: Tensor, reduction: str) -> Tensor:
    return functional.cross_entropy(z, t, reduction=reduction)


def nll(z: Tensor, t: Tensor, reduction: str) -> Tensor:
    return functional.nll_loss(z, t, reduction=reduction)


def binary(z: Tensor, t: Tensor, reduction: str) -> Tensor:
    y = functional.one_hot(t, z.shape[1]).to(z.dtype)
    return functional.binary_cross_entropy_with_logits(z, y, reduction=reduction)


#: By kind: what the model puts out, given raw scores, and the loss over that.
LOSSES: dict[str, tuple[Callable[[Tensor], Tensor], Loss]] = {
    "cross_entropy": (lambda z: z, cross_entropy),
    "nll": (lambda z: z.log_softmax(1), nll),
    "log_of_probability": (lambda z: z.softmax(1), lambda z, t, r: nll(z.log(), t, r)),
    "probability_as_nll": (lambda z: z.softmax(1), nll),
    "double_softmax": (lambda z: z, lambda z, t, r: cross_entropy(z.softmax(1), t, r)),
    "binary": (lambda z: z, binary),
    "probability": (lambda z: z, lambda z, t, r: nll(z.softmax(1), t, r)),
}


def gradient_of(
    put_out: Callable[[Tensor], Tensor],
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    rows: int,
    classes: int,
    seed: int = 0,
    spread: float = 1.0,
    dtype: torch.dtype = torch.float32,
) -> tuple[LossShape | None, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = spread * torch.randn(rows, classes, generator=generator)
    targets = torch.randint(classes, (rows,), generator=generator)
    outputs = put_out(scores).to(dtype).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(outputs, targets), outputs)
    found = recognise(outputs.detach().double().numpy(), gradient.double().numpy())
    return found, targets


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", LOSSES)
@settings(max_examples=4, deadline=None)
@given(rows=st.integers(16, 80), classes=st.integers(3, 30), seed=st.integers(0, 999))
def test_a_loss_is_recognised_with_its_sign_its_weight_and_its_targets(
    kind: str, reduction: str, sign: int, rows: int, classes: int, seed: int
) -> None:
    put_out, loss = LOSSES[kind]

    found, targets = gradient_of(
        put_out, lambda z, t: sign * loss(z, t, reduction), rows=rows, classes=classes, seed=seed
    )

    assert found is not None
    assert (found.kind, found.direction) == (kind, sign)
    if kind != "probability":
        count = rows * classes if kind == "binary" else rows
        expected = 1.0 if reduction == "sum" else 1.0 / count
        assert found.row_scale == pytest.approx(expected, rel=0.02)
    if kind != "binary" and found.targets is not None:
        if kind == "cross_entropy":
            assert found.targets.tolist() == targets.tolist()
        else:
            assert len(found.targets) > 0.7 * rows
            assert set(found.targets.tolist()) <= set(targets.tolist())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_targets_are_read_row_by_row_also_from_half_precision(dtype: torch.dtype) -> None:
    found, targets = gradient_of(
        lambda z: z, functional.cross_entropy, rows=64, classes=10, dtype=dtype
    )

    assert found is not None
    assert found.targets is not None
    assert found.targets.tolist() == targets.tolist()


def test_targets_that_the_model_is_sure_of_are_not_left_out() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 4, 64)
    scores = rng.normal(size=(64, 4)).astype(np.float32)
    scores[np.arange(64), targets] += np.where(np.arange(64) < 8, 0, np.geomspace(1, 90, 64))
    outputs = torch.from_numpy(scores).requires_grad_()
    loss = functional.cross_entropy(outputs, torch.from_numpy(targets))
    (gradient,) = torch.autograd.grad(loss, outputs)

    found = recognise(scores.astype(np.float64), gradient.double().numpy())

    assert found is not None
    assert found.targets is not None
    counted = np.bincount(found.targets, minlength=4)
    assert np.abs(counted - np.bincount(targets, minlength=4)).max() <= 1


def test_where_nearly_all_is_known_the_loss_is_the_one_that_it_was_before() -> None:
    targets = torch.zeros(32, dtype=torch.int64)
    targets[7] = 2
    outputs = (30.0 * functional.one_hot(torch.zeros_like(targets), 5)).requires_grad_()
    (gradient,) = torch.autograd.grad(functional.cross_entropy(outputs, targets), outputs)
    arrays = outputs.detach().double().numpy(), gradient.double().numpy()

    found = recognise(*arrays, expected="cross_entropy")

    assert found is not None
    assert (found.direction, found.row_scale) == (0, None)
    assert found.targets is not None
    assert found.targets.tolist() == targets.tolist()
    assert recognise(*arrays) is None


def test_of_two_classes_the_sign_is_told_by_the_weights_or_not_at_all() -> None:
    signs = [
        found.direction
        for spread in (2.0, 0.0)
        for sign in (1, -1)
        if (
            found := gradient_of(
                lambda z: z,
                lambda z, t, sign=sign: sign * functional.cross_entropy(z, t),  # type: ignore[misc]
                rows=64,
                classes=2,
                spread=spread,
            )[0]
        )
    ]

    assert signs == [1, -1, 0, 0]


@pytest.mark.parametrize("kind", ["probability_as_nll", "log_of_probability"])
@pytest.mark.parametrize("rounding", [0.0, 1e-3])
def test_a_forgotten_logarithm_is_told_also_when_answers_are_sure(
    kind: str, rounding: float
) -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.97, 0.999, 40)
    outputs = np.stack([sure, (1 - sure) / 2, (1 - sure) / 2], 1)
    weights = np.full(40, 1 / 40) if kind == "probability_as_nll" else 1 / (40 * sure)
    gradient = np.zeros((40, 3))
    gradient[:, 0] = -weights * (1 + rounding * rng.uniform(-1, 1, 40))

    found = recognise(outputs, gradient)

    assert found is not None
    assert (found.kind, found.direction) == (kind, 1)


def weighted(z: Tensor, t: Tensor) -> Tensor:
    weights = torch.linspace(0.1, 3.0, z.shape[1], dtype=z.dtype)
    return functional.cross_entropy(z, t, weight=weights)


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(weighted, id="class weights"),
        pytest.param(
            lambda z, t: functional.cross_entropy(z, t, label_smoothing=0.1), id="smoothed"
        ),
        pytest.param(
            lambda z, t: functional.cross_entropy(z, torch.where(t < 5, t, -100)), id="ignored rows"
        ),
    ],
)
def test_targets_are_right_where_rows_weigh_differently(loss: Any) -> None:
    found, targets = gradient_of(lambda z: z, loss, rows=64, classes=10)

    assert found is not None
    assert found.targets is not None
    assert found.direction == 1
    assert set(found.targets.tolist()) <= set(targets.tolist())


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(lambda z, t: (z - 0.3).square().mean(), id="squared error"),
        pytest.param(lambda z, t: z.gather(1, t[:, None]).mean(), id="one score, as with Q values"),
        pytest.param(lambda z, t: functional.multi_margin_loss(z, t, margin=0.7, p=2), id="margin"),
        pytest.param(
            lambda z, t: (
                functional.cross_entropy(z, t, reduction="none")
                * torch.randn(len(t), generator=torch.Generator().manual_seed(1))
            ).mean(),
            id="advantages of both signs",
        ),
        pytest.param(
            lambda z, t: functional.cross_entropy(
                z, 0.5 * functional.one_hot(t, 10) + 0.5 * functional.one_hot((t + 3) % 10, 10)
            ),
            id="mixed targets",
        ),
        pytest.param(
            lambda z, t: functional.kl_div(
                z.log_softmax(1), (z.detach() * 2 + 1).softmax(1), reduction="batchmean"
            ),
            id="distillation",
        ),
    ],
)
def test_what_is_none_of_them_stays_unknown(loss: Any) -> None:
    found, _ = gradient_of(lambda z: z, loss, rows=64, classes=10)

    assert found is None or found.kind == "absolute"


@pytest.mark.parametrize(
    ("outputs", "gradient"),
    [
        (np.zeros((4, 3)), np.zeros((4, 3))),
        (np.zeros((4, 3)), np.full((4, 3), np.nan)),
        (np.full((4, 3), np.inf), np.ones((4, 3))),
        (np.zeros((2, 1)), np.ones((2, 1))),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_nothing_comes_of_nothing(outputs: Any, gradient: Any) -> None:
    assert recognise(outputs, gradient) is None
