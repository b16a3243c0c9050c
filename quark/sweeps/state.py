"""The states of a sweep, and which can follow which."""

from __future__ import annotations

from typing import Literal

from quark.errors import InvalidRunStateError

State = Literal["running", "paused", "stopped", "canceled", "finished"]

#: What each state can become when somebody asks for it. ``finished``: everything has been tried.
CHANGES: dict[State, tuple[State, ...]] = {
    "running": ("running", "paused", "stopped", "canceled", "finished"),
    "paused": ("running", "paused", "stopped", "canceled"),
    "stopped": ("running", "stopped", "canceled"),
    "finished": ("running", "finished"),
    "canceled": ("canceled",),
}


def check_change(sweep_id: str, before: State, after: State) -> None:
    """Raise if a sweep that is ``before`` cannot become ``after``.

    Raises:
        InvalidRunStateError: It cannot.
    """
    if after not in CHANGES[before]:
        raise InvalidRunStateError(
            f"Sweep {sweep_id!r} is {before} and cannot become {after}; it can become "
            f"{', '.join(CHANGES[before])}."
        )
