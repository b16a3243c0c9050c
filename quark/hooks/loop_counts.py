"""What is counted of a training loop between two records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class LoopCounts:
    """Sums since the last :meth:`take`; the fields are those of a training loop's record."""

    forward_count: int = 0
    eval_mode_forward_count: int = 0
    no_grad_forward_count: int = 0
    train_mode_no_grad_forward_count: int = 0
    no_grad_burst_count: int = 0
    backward_count: int = 0
    optimizer_step_count: int = 0
    closure_step_count: int = 0
    unfed_step_count: int = 0
    foreign_step_count: int = 0
    step_seconds: float = 0.0
    data_seconds: float = 0.0
    waits: int = 0  # that were measured; no field of the record

    def take(self, *, timed: bool) -> dict[str, Any]:
        """Return the fields and begin anew; seconds are None where they are not ``timed``."""
        row: dict[str, Any] = {}
        for name in _FIELDS:
            row[name] = getattr(self, name)
            setattr(self, name, 0)
        if not timed or not row["optimizer_step_count"]:
            row["step_seconds"] = row["data_seconds"] = None
        elif not row.pop("waits"):
            row["data_seconds"] = None
        row.pop("waits", None)
        return row

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not (self.forward_count or self.no_grad_forward_count or self.backward_count) and (
            not (self.optimizer_step_count or self.foreign_step_count)
        )


_FIELDS = tuple(LoopCounts.__dataclass_fields__)
