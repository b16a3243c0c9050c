"""``wandb.box3d``: a box in space by its centre, size and orientation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

Vector = tuple[float, float, float]


def box3d(
    *,
    center: Sequence[float],
    size: Sequence[float],
    orientation: Sequence[float],
    color: Any,
    label: str | None = None,
    score: float | None = None,
) -> dict[str, Any]:
    """Return a box for :meth:`Object3D.from_point_cloud`.

    Args:
        center: Its centre: x, y and z.
        size: Its lengths along its own axes.
        orientation: How the world is turned into the box's own axes: a quaternion (real part, i,
            j, k) that is not zero. Its length does not matter.
        color: Red, green and blue.
        label: A text to show with it.
        score: How sure it is.

    Returns:
        A dict with the eight ``corners``, ``color``, ``label`` and ``score``.

    Raises:
        ValueError: A vector has the wrong length, or ``orientation`` is zero.

    Source:
        The matrix of a unit quaternion: Shoemake, "Animating rotation with quaternion curves",
        SIGGRAPH 1985. W&B drops the signs of the quaternion and so turns some boxes the wrong way.

    >>> made = box3d(center=(0, 0, 0), size=(2, 2, 2), orientation=(1, 0, 0, 0), color=(1, 1, 1))
    >>> made["corners"][0]
    (-1.0, -1.0, -1.0)
    """
    x, y, z = _numbers("center", center, 3)
    lengths = _numbers("size", size, 3)
    axes = _axes(*_numbers("orientation", orientation, 4))
    corners = []
    for signs in product((-1, 1), repeat=3):
        local = [sign * length / 2 for sign, length in zip(signs, lengths, strict=True)]
        turned = [
            sum(part * axis[i] for part, axis in zip(local, axes, strict=True)) for i in range(3)
        ]
        corners.append((x + turned[0], y + turned[1], z + turned[2]))
    return {"corners": tuple(corners), "color": color, "label": label, "score": score}


def _axes(real: float, i: float, j: float, k: float) -> tuple[Vector, Vector, Vector]:
    """Return the box's own axes in the world, for a quaternion that turns the world into them."""
    length = math.hypot(real, i, j, k)
    if length == 0:
        raise ValueError("orientation is zero, which is no direction; (1, 0, 0, 0) turns nothing.")
    real, i, j, k = real / length, i / length, j / length, k / length
    return (
        (1 - 2 * (j * j + k * k), 2 * (i * j + k * real), 2 * (i * k - j * real)),
        (2 * (i * j - k * real), 1 - 2 * (i * i + k * k), 2 * (j * k + i * real)),
        (2 * (i * k + j * real), 2 * (j * k - i * real), 1 - 2 * (i * i + j * j)),
    )


def _numbers(name: str, given: Sequence[float], count: int) -> list[float]:
    numbers = [float(number) for number in given]
    if len(numbers) != count:
        raise ValueError(f"{name} has {len(numbers)} numbers, but must have {count}.")
    return numbers
