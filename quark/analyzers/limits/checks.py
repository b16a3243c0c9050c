"""What every threshold must be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from quark.errors import SchemaValidationError


def check_numbers(
    limits: Any, names: Iterable[str], levels: Mapping[str, bool] | None = None
) -> None:
    """Check that ``names`` are finite numbers of 0 or more, and that levels are in order.

    Args:
        limits: What has them as attributes.
        names: The attributes.
        levels: Names with ``*`` for warning, error and critical; True where the levels fall.

    Raises:
        SchemaValidationError: One breaks a rule.
    """
    for name in names:
        value = getattr(limits, name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0:
            raise SchemaValidationError(
                f"Threshold {name} is {value!r}, but must be a finite number of 0 or more."
            )
    for pattern, falls in (levels or {}).items():
        steps = [pattern.replace("*", level) for level in ("warning", "error", "critical")]
        values = [getattr(limits, name) for name in steps]
        if values != sorted(values, reverse=falls):
            order = "fall" if falls else "rise"
            raise SchemaValidationError(
                f"Thresholds {', '.join(steps)} are {values}, but must {order} from warning to "
                "critical."
            )
