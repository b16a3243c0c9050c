"""The step and epoch filters that every ``read`` takes."""

from __future__ import annotations

from quark.errors import SchemaValidationError
from quark.session.events import check_index
from quark.storage.model import StepRange


def step_range(
    step: int | None,
    step_min: int | None,
    step_max: int | None,
    epoch: int | None,
    epoch_min: int | None,
    epoch_max: int | None,
    limit: int | None,
) -> StepRange:
    """Return the filters as a range.

    Raises:
        SchemaValidationError: One of them is no integer from 0 on, or a range is upside down.
    """
    for name, value in (
        ("step", step),
        ("step_min", step_min),
        ("step_max", step_max),
        ("epoch", epoch),
        ("epoch_min", epoch_min),
        ("epoch_max", epoch_max),
        ("limit", limit),
    ):
        check_index(name, value)
    for name, low, high in (("step", step_min, step_max), ("epoch", epoch_min, epoch_max)):
        if low is not None and high is not None and low > high:
            raise SchemaValidationError(
                f"{name}_min {low} is above {name}_max {high}; exchange them."
            )
    return StepRange(
        step=step,
        step_min=step_min,
        step_max=step_max,
        epoch=epoch,
        epoch_min=epoch_min,
        epoch_max=epoch_max,
        limit=limit,
    )
