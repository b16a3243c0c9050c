"""The tensor operations behind the statistics: few, plain, and without waiting.

On a device no line may look at a value (``item``, ``float``, ``bool``, a mask used as an index):
that would make the training thread wait. So what is not finite is always worked around there. On a
CPU a number is there as soon as it is computed, and looking at it waits for nothing; so the short
way is taken first, and the long one where the result shows that it is needed. What is fast is not
what is elegant: ``var_mean``, ``isfinite``, ``count_nonzero`` and comparisons take five to
twenty times as long as sums, dot products and quotients.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, dtype

#: Set by :func:`load`, because an import in each function costs as much as a small sum.
torch: Any = None
_is_inside_a_transform: Any = None

#: Up to this many ones a float32 sum is exact.
_EXACT_FLOAT32 = 2**24
#: Above this many elements a float32 dot product loses digits.
_DOT_ELEMENTS = 2**20
#: Where the squared mean is this much larger than the variance, their difference has lost too many
#: digits.
_CANCELLATION = 100.0
#: Below this, squares of float32 have lost digits or are gone.
_TINY_SQUARES = 1e-36
#: So that a value at a bound is beyond what it is compared with.
_JUST_INSIDE = 1 - 1e-6


#: Mean, variance and count of the finite elements of a tensor: as numbers, or on its device.
Moments = tuple[float, float, float]
DeviceMoments = tuple["Tensor", "Tensor", "Tensor"]


def load() -> None:
    """Make everything here ready. Called by whoever has a model in hand, which proves that torch is
    there; importing this module alone loads nothing."""
    global torch, _is_inside_a_transform
    if torch is None:
        import torch as loaded

        torch, _is_inside_a_transform = loaded, loaded._C._functorch.is_functorch_wrapped_tensor


def as_plain_tensor(tensor: Tensor) -> Tensor | None:
    """Return what can be measured of ``tensor``: dense, detached, float32 or float64.

    None for what has no elements, no real numbers, or lives inside a function transform of
    ``torch.func``, from where nothing may be carried out.
    """
    kind = tensor.dtype
    if not kind.is_floating_point or _is_inside_a_transform(tensor):
        return None
    x = tensor.detach()
    if x.is_nested:
        x = x.values()
    elif x.layout is not torch.strided:
        x = x.to_dense()
    elif type(x) is not torch.Tensor and hasattr(
        x, "to_local"
    ):  # a DTensor: this process's part of it
        x = x.to_local()
    if not x.numel() or x.is_meta:
        return None
    return x if kind is torch.float32 or kind is torch.float64 else x.float()


def moments_on_cpu(x: Tensor) -> Moments | None:
    """Return the moments of ``x``, which is plain and on the CPU; None if it is not all finite."""
    count = x.numel()
    flat = x.view(-1) if x.is_contiguous() else x.reshape(-1).contiguous()
    if count <= _DOT_ELEMENTS:
        mean = float(flat.sum()) / count
        squares = float(torch.dot(flat, flat)) / count
        variance = squares - mean * mean
        if squares <= _TINY_SQUARES:
            return _moments_of_tiny(flat)
        if variance * _CANCELLATION > squares and squares != math.inf:
            return mean, variance, count
        if not math.isfinite(mean):
            return None
    # The normalisation of one group computes exact moments on its way.
    _, means, reciprocals = torch.native_group_norm(
        flat.view(1, 1, count), None, None, 1, 1, count, 1, 0.0
    )
    mean, reciprocal = float(means), float(reciprocals)
    if not math.isfinite(mean) or not reciprocal > 0:
        return None  # what is not finite, or too large to be squared
    if math.isinf(reciprocal) and mean * mean <= _TINY_SQUARES:
        return _moments_of_tiny(flat)
    return mean, 1.0 / reciprocal / reciprocal, count


def _moments_of_tiny(flat: Tensor) -> Moments:
    """Return the moments of what is too small to be squared in float32, or all zeros."""
    low, high = map(float, torch.aminmax(flat))
    if low == high:
        return low, 0.0, flat.numel()
    wide = in_double(flat)
    mean = float(wide.sum()) / flat.numel()
    distances = wide - mean
    return mean, float(torch.dot(distances, distances)) / flat.numel(), flat.numel()


def in_double(x: Tensor) -> Tensor:
    """Return ``x`` in float64, in which everything that float32 holds can be squared."""
    return x.double()


def moments_anywhere(x: Tensor) -> DeviceMoments:
    """Return the moments of the finite elements of ``x``, which is plain, without waiting."""
    sums_in = _exact_sums(x)
    finite = not_a_number_unless_finite(x)
    finite_count = torch.nansum(torch.add(torch.ones_like(x), x, alpha=0), dtype=sums_in)
    mean = torch.nansum(finite, dtype=sums_in) / finite_count
    distances = (finite - mean.to(x.dtype)).square_()
    return mean, torch.nansum(distances, dtype=sums_in) / finite_count, finite_count


def not_a_number_unless_finite(x: Tensor) -> Tensor:
    """Return ``x`` with NaN in the place of infinities: 0 times infinity is not a number."""
    finite: Tensor = torch.add(x, x, alpha=0)
    return finite


def count_away_from_zero(finite: Tensor, epsilon: float) -> Tensor:
    """Count elements whose absolute value is above ``epsilon``; NaN is none of them."""
    away = torch.nn.functional.hardshrink(finite, epsilon) if epsilon else finite
    return _count_nonzero(away)


def count_saturated(finite: Tensor, bounds: tuple[float | None, float | None]) -> Tensor:
    """Count elements at or beyond a bound; NaN is none of them."""
    low, high = bounds
    if low is not None and high is not None and low >= high:
        beyond = torch.add(torch.ones_like(finite), finite, alpha=0)  # one bound or the other
    elif low is not None and high is not None:
        middle, reach = (low + high) / 2, (high - low) / 2
        beyond = torch.nn.functional.hardshrink(finite - middle, reach * _JUST_INSIDE)
    elif high is not None:
        beyond = (finite - high * _JUST_INSIDE).clamp_min_(0.0)
    else:
        assert low is not None
        beyond = (finite - low * _JUST_INSIDE).clamp_max_(0.0)
    return _count_nonzero(beyond)


def extremes(finite: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smallest and the largest element; NaN is neither."""
    infinity = float("inf")
    return torch.nan_to_num(finite, infinity).amin(), torch.nan_to_num(finite, -infinity).amax()


def _count_nonzero(x: Tensor) -> Tensor:
    """Count numbers other than 0: 0/0 is not a number, all others give 1."""
    count: Tensor = torch.nansum(x / x, dtype=_exact_sums(x))
    return count


def _exact_sums(x: Tensor) -> dtype | None:
    """Return the type in which ones of the size of ``x`` are counted without loss."""
    return torch.float64 if x.numel() > _EXACT_FLOAT32 and x.device.type != "mps" else None
