"""What clients in any language send as JSON to begin, change and fill a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from quark.records import RunStatus
from quark.service.models import Number, Shown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Text = Annotated[str, Field(max_length=65_536)]
_Name = Annotated[str, Field(min_length=1, max_length=512)]
Tag = Annotated[str, Field(min_length=1, max_length=256)]
Tags = Annotated[list[Tag], Field(max_length=1000)]
Step = Annotated[int, Field(ge=0, lt=2**63)]
Moment = Annotated[
    AwareDatetime | None,
    Field(description="When it was, with a zone; now if left out.", examples=["2026-01-31T12:00Z"]),
]


class Sent(BaseModel):
    """A body. A field that is not known is refused: it would be lost silently."""

    model_config = ConfigDict(extra="forbid")


class NewRunIn(Sent):
    """A run that begins now."""

    project: str = Field(min_length=1, max_length=256, examples=["vision"])
    run_id: str | None = Field(
        None, min_length=1, max_length=128, description="A fresh one if left out."
    )
    name: _Name | None = None
    notes: _Text | None = None
    group: _Name | None = None
    job_type: _Name | None = None
    tags: Tags = []
    config: dict[str, Any] = Field({}, examples=[{"lr": 0.001, "layers": 12}])
    parent_run_id: str | None = Field(None, max_length=128)
    git_commit: str | None = Field(None, min_length=1, max_length=128)


class RunChangeIn(Sent):
    """New values for some fields of a run. What is left out stays; null removes."""

    status: RunStatus | None = Field(
        None,
        description="A running run can become completed, failed or interrupted; an interrupted or "
        "failed one can run again.",
    )
    end_reason: _Text | None = None
    exit_code: int | None = Field(None, ge=-(2**31), lt=2**31)
    name: _Name | None = None
    notes: _Text | None = None
    group: _Name | None = None
    job_type: _Name | None = None
    tags: Tags | None = Field(None, description="In the place of all tags.")
    add_tags: Tags = Field([], description="Beside those that are there.")
    config: dict[str, Any] = Field({}, description="Top-level keys to set.")
    config_removed: list[str] = Field([], max_length=10_000)
    summary: dict[str, Any] = Field({}, description="Top-level keys to set.")
    summary_removed: list[str] = Field([], max_length=10_000)


class MetricRowIn(Sent):
    """Values of one moment."""

    values: dict[Annotated[str, Field(min_length=1, max_length=512)], Number] = Field(
        min_length=1, max_length=10_000, examples=[{"train/loss": 0.25, "lr": 0.001}]
    )
    step: Step | None = None
    epoch: Step | None = None
    timestamp: Moment = None


class MetricsIn(Sent):
    """Rows of values, in their order."""

    rows: list[MetricRowIn] = Field(min_length=1, max_length=10_000)


class RecordsIn(Sent):
    """Records of one kind: their fields without ``id`` and ``run_id``."""

    records: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=1_000,
        description="The fields of each; `timestamp` is now if left out.",
        examples=[[{"event_type": "checkpoint_saved", "severity": "info", "step": 100}]],
    )


class StoredOut(Shown):
    """What became of what was sent."""

    stored: bool = Field(
        description="False if a request of this Idempotency-Key, or a later one, was stored before."
    )


def time_us_of(moment: datetime | None, now_us: int) -> int:
    """Return a moment in microseconds since 1970."""
    return now_us if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
