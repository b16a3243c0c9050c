"""How often a run is judged while it goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from quark.errors import SchemaValidationError

#: The type of the artifacts that keep what is known at the moment at which a training is stopped.
BUNDLE_TYPE = "alert_evidence_bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig:
    """When to judge, and what it may take.

    ``time_share`` is the share of the wall time that all of it may take, measured as CPU time.
    What loads the rules and judges first takes about a quarter of a second of the processor, so
    it waits until that is such a share: the first judgement comes when ``first_seconds`` have
    passed and ``first_row_count`` rows have come; a value that is not finite is judged at once.
    The next one comes when there is that share of time for it, and ``growth_ratio`` more rows than
    at the last one; or ``idle_seconds`` after it, if there is anything new at all.

    Raises:
        SchemaValidationError: A number is not finite or below 0, or ``time_share`` is no share.
    """

    time_share: float = 0.01
    first_seconds: float = 25.0
    first_row_count: int = 50
    growth_ratio: float = 0.01
    idle_seconds: float = 60.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or value < 0:
                raise SchemaValidationError(
                    f"{item.name} is {value!r}, but must be a finite number of 0 or more."
                )
        if not 0 < self.time_share <= 1:
            raise SchemaValidationError(
                f"time_share is {self.time_share!r}, but must be above 0 and at most 1; to judge "
                "at the end only, set QUARK_LIVE_RULES=0."
            )
