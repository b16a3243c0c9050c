"""What the routes that follow runs give, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from quark.service.models import Number, RunOut, SeriesOut, Shown

_CURSOR = Field(description="To be given as `after` next time.")


class StoredRecordOut(Shown):
    """A record: where it stands, and its own fields in `body`; see `docs/formats.md`."""

    id: str
    kind: str
    step: int | None
    epoch: int | None
    timestamp: str
    body: dict[str, Any]


class RunChangesOut(Shown):
    """What has changed in a run."""

    cursor: str = _CURSOR
    more: bool = Field(description="Whether to ask again at once.")
    run: RunOut | None = Field(description="The run as it is now, if it may have changed.")
    records: list[StoredRecordOut]
    series: list[SeriesOut]


class LastValueOut(Shown):
    """The point of a key that arrived last."""

    value: Number
    step: int | None
    time_us: int


class ChangedRunOut(Shown):
    """A run that has changed, or is new on the page."""

    run: RunOut
    last: dict[str, LastValueOut] = Field(description="By key, those that were asked for.")


class ListChangesOut(Shown):
    """What has changed on one page of a list of runs."""

    cursor: str = _CURSOR
    run_ids: list[str] = Field(description="All that are on the page now, in its order.")
    changed: list[ChangedRunOut]
