"""The payload of a histogram: edges of bins and what was counted in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

from quark.errors import SchemaValidationError
from quark.pipeline.rows import as_scalar_or_list


class Array(Protocol):
    """A numpy array, a torch tensor, or whatever else can become a list."""

    def tolist(self) -> Any: ...


Numbers = Sequence[float] | Array


def histogram_payload(bins: Numbers, counts: Numbers) -> dict[str, list[float]]:
    """Return ``{"bins": [...], "counts": [...]}``.

    Args:
        bins: Edges of the bins, shape ``(n + 1,)``, finite, none below the one before.
        counts: What was counted in each, shape ``(n,)``, finite, 0 or more.

    Raises:
        SchemaValidationError: One of them breaks a rule.

    >>> histogram_payload([-1.0, 0.0, 1.0], [12, 4])
    {'bins': [-1.0, 0.0, 1.0], 'counts': [12, 4]}
    """
    edges, numbers = _numbers("bins", bins), _numbers("counts", counts)
    if not numbers or len(edges) != len(numbers) + 1:
        raise SchemaValidationError(
            f"A histogram of {len(edges)} bins and {len(numbers)} counts is not valid: bins are "
            "edges, one more than counts, and there must be at least one count."
        )
    for place, (low, high) in enumerate(pairwise(edges)):
        if high < low:
            raise SchemaValidationError(
                f"bins[{place + 1}] is {high!r}, below bins[{place}], which is {low!r}; edges must "
                "ascend. Sort them with their counts."
            )
    for place, number in enumerate(numbers):
        if number < 0:
            raise SchemaValidationError(f"counts[{place}] is {number!r}; it must be 0 or more.")
    return {"bins": edges, "counts": numbers}


def _numbers(what: str, values: Any) -> list[float]:
    plain = list(values) if isinstance(values, (list, tuple, range)) else _foreign(what, values)
    for place, value in enumerate(plain):
        if type(value) not in (int, float):
            value = plain[place] = _foreign(what, value)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):
            raise SchemaValidationError(
                f"{what}[{place}] is {value!r}; it must be a finite number."
            )
    return plain


def _foreign(what: str, value: Any) -> Any:
    try:
        return as_scalar_or_list(value)
    except (TypeError, SchemaValidationError) as error:
        raise SchemaValidationError(
            f"{what} holds a {type(value).__name__}; pass a list, array or tensor of numbers."
        ) from error
