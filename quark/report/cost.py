"""What Quark itself took of a run's time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from quark.clock import SYSTEM_CLOCK
from quark.pipeline.rows import encode_row
from quark.report.model import Cost

#: How often the last row is encoded once more to see what that takes.
_REPEATS = 50
#: What a call takes beside the encoding, in microseconds: the lock, the copy and the way there.
_REST_OF_A_CALL_US = 1.0


def measure_cost(
    *,
    log_call_count: int,
    step_count: int,
    last_row: Mapping[str, Any],
    hooks_seconds: float,
    background_seconds: float | None,
    duration_seconds: float | None,
) -> Cost:
    """Return the cost of a run that logged ``log_call_count`` rows such as ``last_row``."""
    us_per_call = _encoding_us(last_row) + _REST_OF_A_CALL_US if log_call_count else None
    in_training = hooks_seconds + log_call_count * (us_per_call or 0.0) / 1e6
    known = duration_seconds is not None and duration_seconds > 0
    return Cost(
        log_call_count=log_call_count,
        step_count=step_count,
        log_us_per_call=None if us_per_call is None else round(us_per_call, 2),
        hooks_seconds=round(hooks_seconds, 6),
        training_us_per_step=round(in_training / step_count * 1e6, 2) if step_count else None,
        training_percent=_percent(in_training, duration_seconds) if known else None,
        background_percent=(
            _percent(background_seconds, duration_seconds)
            if known and background_seconds is not None
            else None
        ),
    )


def _encoding_us(row: Mapping[str, Any]) -> float:
    best = float("inf")
    for _ in range(3):  # the quickest of three: something else may be running
        start = SYSTEM_CLOCK.monotonic()
        for _ in range(_REPEATS):
            crc32(encode_row(row)[1])
        best = min(best, SYSTEM_CLOCK.monotonic() - start)
    return best / _REPEATS * 1e6


def _percent(seconds: float, duration_seconds: float | None) -> float:
    return round(100.0 * seconds / (duration_seconds or 1.0), 3)
