"""Counting numbers between edges, for histograms of any kind."""

from __future__ import annotations

from typing import Any


def count(sequence: Any, num_bins: int) -> tuple[list[float], list[float]]:
    """Return counts and edges of ``num_bins`` ranges of equal width, from the smallest to the
    largest finite number.

    Raises:
        TypeError: ``sequence`` holds no numbers.
        ValueError: ``num_bins`` is below 1.
    """
    import numpy as np  # who logs a histogram has paid for it

    if hasattr(sequence, "detach"):  # a torch tensor
        sequence = sequence.detach().cpu()
        sequence = sequence.float() if sequence.is_floating_point() else sequence
        sequence = sequence.numpy()
    numbers = np.asarray(sequence)
    if numbers.dtype == bool:
        numbers = numbers.astype(np.uint8)
    if numbers.dtype.kind not in "iuf":
        raise TypeError(
            f"A histogram is made of numbers, not of {type(sequence).__name__} ({numbers.dtype})."
        )
    counts, edges = np.histogram(numbers[np.isfinite(numbers)], bins=num_bins)
    return counts.tolist(), edges.tolist()
