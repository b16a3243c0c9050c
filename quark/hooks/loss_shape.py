"""Which loss a model is trained with, told from what it put out and the gradient of that.

Common losses have gradients that give them away, and the target classes with them. For outputs
``z`` of a row with target ``t`` and a weight ``s``, the row's gradient is:

=======================  =====================================================================
``cross_entropy``        ``s * (softmax(z) - onehot(t))``
``double_softmax``       the same of ``p = softmax(z)``, through the softmax: ``z`` went through
                         two of them
``probability``          ``s * p[t] * (p - onehot(t))``: a softmax whose logarithm was forgotten
``nll``                  ``-s`` at ``t``, and ``z`` are log-probabilities
``log_of_probability``   ``-s / z[t]`` at ``t``, and ``z`` are probabilities
``probability_as_nll``   ``-s`` at ``t``, but ``z`` are probabilities
``binary``               ``s * (sigmoid(z) - y)``, element by element, with ``y`` 0 or 1
``absolute``             the same size in every element; its weight cannot be told
``smoothed``             nearly that of a cross-entropy, as with smoothed labels
=======================  =====================================================================

A loss of the wrong sign has the same gradient, negated. What is none of these stays unknown: a
guess would be worse than silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Rows whose gradient is this much smaller than the largest say nothing: they are rounding.
_NEGLIGIBLE = 1e-4
_MIN_ROWS = 4
_MIN_ELEMENTS = 16
#: How far a gradient may be from its formula, relative to its size: half precision rounds so.
_EXACT = 0.01
_NEARLY = 0.35
#: Sums of probabilities may be off by this.
_SUM_ERROR = 2e-3
#: Spread of weights, relative to their middle, up to which they are one and the same.
_SAME = 0.01
#: How much better an explanation must be than the other one.
_CLEARLY = 5.0
_CANDIDATES = 4


class LossShape(NamedTuple):
    """What was recognised.

    ``direction`` is 1, or -1 for a loss of the wrong sign; 0 where both fit. ``row_scale`` is what
    one row (or element) weighs: 1 over the count of rows in a mean, 1 in a sum; None where rows
    weigh differently. ``targets`` are classes of the rows that could be read, or None.
    """

    kind: str
    direction: int
    row_scale: float | None
    targets: NDArray[np.int64] | None = None


@np.errstate(all="ignore")  # probabilities of 0 and 1 are divided by; what comes of it is no loss
def recognise(
    outputs: Floats, gradient: Floats, *, expected: str | None = None
) -> LossShape | None:
    """Return the loss that explains ``gradient``; None if none does.

    Args:
        outputs: What the model put out, a row each sample, a column each class; finite.
        gradient: The loss's gradient with respect to them, of the same shape.
        expected: The kind that was recognised before. Where the model is sure of all rows but a
            few, these say too little; if it was a cross-entropy, their targets are still read.

    >>> z = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [2.0, 1.0, 0.0]])
    >>> p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    >>> found = recognise(z, (p - np.eye(3)[[0, 1, 2, 0]]) / 4)
    >>> found.kind, found.direction, found.row_scale, found.targets.tolist()
    ('cross_entropy', 1, 0.25, [0, 1, 2, 0])
    """
    if not (np.isfinite(outputs).all() and np.isfinite(gradient).all()):
        return None
    size = np.abs(gradient).max(axis=1, initial=0.0)
    largest = size.max(initial=0.0)
    if not largest > 0:
        return None
    keep = size > _NEGLIGIBLE * largest
    z, g = outputs[keep], gradient[keep]
    if z.shape[1] > 1 and len(z) >= _MIN_ROWS:
        found = _picked(z, g) if _one_each(g) else _of_logits(z, g)
        if found is not None and found.kind in ("cross_entropy", "smoothed"):
            sign = -1.0 if found.direction < 0 else 1.0
            return found._replace(targets=_targets(outputs, sign * gradient))
        if found is not None:
            return found
    elif z.shape[1] > 1 and expected == "cross_entropy":
        return LossShape("cross_entropy", 0, None, _targets(outputs, gradient))
    return _elementwise(z, g)


def probability_rows(outputs: Floats) -> Floats:
    """Return which rows are probabilities: 0 or more, with a sum of 1."""
    if outputs.shape[1] < 2:
        return np.zeros(len(outputs))
    fits = (outputs.min(axis=1) >= 0) & (np.abs(outputs.sum(axis=1) - 1) <= _SUM_ERROR)
    return np.asarray(fits, np.float64)


# -- softmax and what is made of it ----------------------------------------------------------------


def _of_logits(z: Floats, g: Floats) -> LossShape | None:
    p = _softmax(z)
    right = _cross_entropy(p, g)
    best, direction = right, 1
    if z.shape[1] == 2:  # both signs always fit; the right one weighs all rows alike
        wrong = _cross_entropy(p, -g)
        spreads = _spread(right.scale), _spread(wrong.scale)
        best, direction = (right, 1) if spreads[0] <= spreads[1] else (wrong, -1)
        if max(spreads) < _CLEARLY * max(min(spreads), 1e-6) or min(spreads) > 0.2:
            best, direction = right, 0
    elif right.error > _EXACT:
        wrong = _cross_entropy(p, -g)
        best, direction = (right, 1) if right.error <= wrong.error else (wrong, -1)
    if best.error <= _EXACT:
        chosen = np.take_along_axis(p, best.targets[:, None], axis=1)[:, 0]
        weights_by_probability = _spread(best.scale / np.maximum(chosen, 1e-12))
        if weights_by_probability <= 2 * _SAME and _spread(best.scale) > 0.1:
            return LossShape("probability", direction, None, best.targets)
        return LossShape("cross_entropy", direction, _one_scale(best.scale), best.targets)
    twice = [(_double_softmax(p, sign * g), sign) for sign in (1, -1)]
    double, sign = min(twice, key=lambda one: one[0].error)
    if double.error <= _EXACT:
        return LossShape("double_softmax", sign, _one_scale(double.scale), double.targets)
    balanced = np.abs(g.sum(axis=1)) <= _EXACT * np.abs(g).sum(axis=1)
    negative = np.minimum(g, 0.0)
    share = negative.min(axis=1) / np.minimum(negative.sum(axis=1), -1e-300)
    if right.error <= _NEARLY and balanced.all() and _worst_but_few(1.0 - share) <= 0.1:
        return LossShape("smoothed", 1, None, right.targets)
    return None


def _targets(z: Floats, g: Floats) -> NDArray[np.int64]:
    """Return the targets of all rows that have a gradient, however small: with the others, classes
    that are known by now would be left out."""
    has_any = np.abs(g).max(axis=1) > 0
    z, g = z[has_any], g[has_any]
    # Where even the target's is rounded to nothing, the answer is sure, and right.
    return np.asarray(np.where(g.min(axis=1) < 0, g.argmin(axis=1), z.argmax(axis=1)), np.int64)


class _Fit(NamedTuple):
    """How well a formula explains the rows: 90 % of them are off by at most ``error``."""

    error: float
    scale: Floats
    targets: NDArray[np.int64]


def _cross_entropy(p: Floats, g: Floats) -> _Fit:
    rows = np.arange(len(g))
    targets = g.argmin(axis=1)
    direction = p.copy()
    direction[rows, targets] -= 1.0
    return _fit(direction, g, targets)


def _double_softmax(p: Floats, g: Floats) -> _Fit:
    """Try as targets the classes whose gradients are the most negative."""
    q = _softmax(p)
    count = min(_CANDIDATES, g.shape[1])
    candidates = np.argpartition(g, count - 1, axis=1)[:, :count]
    errors = np.full(len(g), np.inf)
    scales, targets = np.zeros(len(g)), np.zeros(len(g), np.int64)
    for place in range(count):
        tried = candidates[:, place]
        u = q.copy()
        u[np.arange(len(g)), tried] -= 1.0
        direction = p * (u - (p * u).sum(axis=1, keepdims=True))
        scale, error = _scale_and_error(direction, g)
        better = error < errors
        errors[better], scales[better], targets[better] = (
            error[better],
            scale[better],
            tried[better],
        )
    return _Fit(_worst_but_few(errors), scales, targets)


def _fit(direction: Floats, g: Floats, targets: NDArray[np.int64]) -> _Fit:
    scale, error = _scale_and_error(direction, g)
    return _Fit(_worst_but_few(error), scale, targets)


def _scale_and_error(direction: Floats, g: Floats) -> tuple[Floats, Floats]:
    """Return the weight of each row by least squares, and what it leaves unexplained of it."""
    squares = np.maximum((direction * direction).sum(axis=1), 1e-300)
    scale = (direction * g).sum(axis=1) / squares
    left = np.abs(g - scale[:, None] * direction).sum(axis=1) / np.abs(g).sum(axis=1)
    return scale, np.where(scale > 0, left, np.inf)


# -- one element a row -----------------------------------------------------------------------------


def _one_each(g: Floats) -> bool:
    return float(((g != 0).sum(axis=1) == 1).mean()) >= 0.95


def _picked(z: Floats, g: Floats) -> LossShape | None:
    targets = np.abs(g).argmax(axis=1)
    rows = np.arange(len(g))
    value, there = g[rows, targets], z[rows, targets]
    direction = -1 if (value > 0).all() else 1 if (value < 0).all() else 0
    if not direction:
        return None
    weight = np.abs(value)
    if probability_rows(z).mean() >= 0.95:
        # Where all answers are sure of themselves, both fit nearly: take the clearly better one.
        plain, divided = _spread(weight), _spread(weight * there)
        if plain <= _SAME and divided > _CLEARLY * max(plain, 1e-4):
            return LossShape("probability_as_nll", direction, _one_scale(weight), targets)
        if divided <= 2 * _SAME and plain > _CLEARLY * max(divided, 1e-4):
            return LossShape("log_of_probability", direction, _one_scale(weight * there), targets)
        return None
    total = np.log(np.exp(np.minimum(z, 50.0)).sum(axis=1))
    if float(np.abs(total).max()) <= _SUM_ERROR:
        return LossShape("nll", direction, _one_scale(weight), targets)
    return None


# -- element by element ----------------------------------------------------------------------------


def _elementwise(z: Floats, g: Floats) -> LossShape | None:
    z, g = z.ravel(), g.ravel()
    size = np.abs(g)
    keep = size > _NEGLIGIBLE * size.max()
    z, g, size = z[keep], g[keep], size[keep]
    if len(g) < _MIN_ELEMENTS:
        return None
    if _spread(size) <= 1e-3:
        return LossShape("absolute", 0, None)  # or no loss at all: a sum of the outputs
    one = 1.0 / (1.0 + np.exp(-np.clip(z, -50.0, 50.0)))
    scales = [size / np.where(sign * g > 0, one, 1.0 - one) for sign in (1.0, -1.0)]
    spreads = [_spread(scale) for scale in scales]
    if min(spreads) > _SAME:
        return None
    direction = 1 if spreads[0] < spreads[1] else -1
    if max(spreads) < _CLEARLY * max(min(spreads), 1e-6):
        direction = 0
    return LossShape("binary", direction, _one_scale(scales[0 if direction >= 0 else 1]))


def _softmax(z: Floats) -> Floats:
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _spread(values: Floats) -> float:
    """Return how far 80 % of the values are apart, relative to their middle."""
    ordered = np.sort(values)  # np.quantile takes ten times as long
    low, middle, high = (ordered[int(share * (len(ordered) - 1))] for share in (0.1, 0.5, 0.9))
    return float((high - low) / max(abs(middle), 1e-300))


def _one_scale(scale: Floats) -> float | None:
    if not _spread(scale) <= 2 * _SAME:  # also where it is not known
        return None
    return float(np.sort(scale)[len(scale) // 2])


def _worst_but_few(errors: Floats) -> float:
    """Return the error that 90 % of the rows do not exceed."""
    return float(np.sort(errors)[int(0.9 * (len(errors) - 1))])
