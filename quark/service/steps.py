"""A range of steps and epochs, as a query says it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from quark.storage.model import StepRange

_Number = Annotated[int | None, Query(ge=-(2**63), lt=2**63)]


def _steps(
    step: _Number = None,
    step_min: _Number = None,
    step_max: _Number = None,
    epoch: _Number = None,
    epoch_min: _Number = None,
    epoch_max: _Number = None,
    limit: Annotated[int | None, Query(ge=0, lt=2**63, description="The newest so many.")] = None,
) -> StepRange:
    return StepRange(
        step=step,
        step_min=step_min,
        step_max=step_max,
        epoch=epoch,
        epoch_min=epoch_min,
        epoch_max=epoch_max,
        limit=limit,
    )


#: What a route that can be limited to some steps takes. Bounds are inclusive.
Steps = Annotated[StepRange, Depends(_steps)]
