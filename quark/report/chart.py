"""A curve in a few lines of text, and the phases below it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quark.records import PhaseRecord
    from quark.report.model import Curve

_EIGHTHS = " ▁▂▃▄▅▆▇█"
#: Values this many times apart are drawn on a logarithmic scale.
_LOG_RATIO = 30.0
#: A letter for each phase, where there is no room for its name.
LETTERS = {
    "initialization_adaptation": "i",
    "rapid_learning": "L",
    "stabilization": "s",
    "stagnation": "-",
    "overfitting_onset": "O",
    "divergence": "D",
}


def chart(curve: Curve, *, width: int, height: int, ascii_only: bool = False) -> list[str]:
    """Return ``height`` lines of ``width`` characters; the highest value is on top.

    A column is the mean of what falls into it; what is not finite is drawn as ``x`` on top.
    """
    columns = _columns(curve, width)
    finite = [value for value in columns if value is not None and math.isfinite(value)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    scale = math.log if _is_wide(low, high) else float
    bottom, top = scale(low), scale(high)
    span = (top - bottom) or 1.0
    levels: list[int | None] = []
    for value in columns:
        if value is None or not math.isfinite(value):
            levels.append(None if value is None else -1)
        else:
            levels.append(1 + round((scale(value) - bottom) / span * (height * 8 - 1)))
    return [_line(levels, row, ascii_only) for row in range(height - 1, -1, -1)]


def is_logarithmic(curve: Curve, width: int) -> bool:
    """Say whether the chart has a logarithmic scale."""
    known = [one for one in _columns(curve, width) if one is not None and math.isfinite(one)]
    return bool(known) and _is_wide(min(known), max(known))


def phase_line(phases: Sequence[PhaseRecord], curve: Curve, width: int) -> str:
    """Return one line of ``width`` characters with the phases where they lie on the chart."""
    first, last = curve.steps[0], curve.steps[-1]
    span = max(1, last - first)
    cells = [" "] * width
    for phase in phases:
        if phase.step_start is None or phase.step_end is None:
            continue
        start = max(0, min(width - 1, int((phase.step_start - first) / span * width)))
        end = max(start, min(width - 1, math.ceil((phase.step_end - first) / span * width) - 1))
        room = end - start + 1
        name = phase.display_name.lower()
        label = name if len(name) + 2 <= room else LETTERS.get(phase.phase_name, "?")
        cells[start : end + 1] = list(label.center(room, "·" if room > 2 else " "))
        cells[start] = "|"
    return "".join(cells)


def _is_wide(low: float, high: float) -> bool:
    return low > 0 and high / low > _LOG_RATIO


def _columns(curve: Curve, width: int) -> list[float | None]:
    first, last = curve.steps[0], curve.steps[-1]
    span = max(1, last - first)
    sums: list[list[float]] = [[] for _ in range(width)]
    for step, value in zip(curve.steps, curve.values, strict=True):
        sums[min(width - 1, int((step - first) / span * width))].append(value)
    columns: list[float | None] = []
    for values in sums:
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            columns.append(sum(finite) / len(finite))
        elif values:
            columns.append(math.nan)
        else:
            columns.append(columns[-1] if columns else None)
    return columns


def _line(levels: Sequence[int | None], row: int, ascii_only: bool) -> str:
    cells = []
    for level in levels:
        if level is None:
            cells.append(" ")
        elif level < 0:
            cells.append("x")
        else:
            filled = max(0, min(8, level - row * 8))
            cells.append(("#" if filled >= 4 else " ") if ascii_only else _EIGHTHS[filled])
    return "".join(cells).rstrip()
