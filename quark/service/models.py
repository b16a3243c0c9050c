"""What the routes of runs and points give, as the OpenAPI document describes it.

Large answers are written without a detour through these models; a test holds real answers against
them. What is kept of a run is described from the records themselves, so it cannot lag behind.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from quark.records import RECORD_KINDS, ProjectRecord, RunRecord
from quark.schema.words import WORDS

#: A number as JSON has it: those that are not finite are words.
Number = Annotated[
    float | Literal["NaN", "Infinity", "-Infinity"],
    Field(description="A number; `NaN`, `Infinity` and `-Infinity` are strings."),
]


class Shown(BaseModel):
    """A part of an answer: these fields and no others."""

    model_config = ConfigDict(extra="forbid")


_MADE: dict[type[Any], type[BaseModel]] = {}


def model_of(record: type[Any]) -> Any:
    """Return the model of a record, or of what lies in one, as ``to_dict`` writes it."""
    if record not in _MADE:
        hints = typing.get_type_hints(record)
        kind = getattr(record, "KIND", "")
        fields: dict[str, Any] = {}
        for item in dataclasses.fields(record):
            words = WORDS.get((kind, item.name))
            hint = _shown_as(hints[item.name])
            if words and hints[item.name] is str:  # a store keeps other words, too
                hint = Annotated[str, Field(examples=list(words))]
            fields[item.name] = (hint, ...)
        _MADE[record] = create_model(
            record.__name__.removesuffix("Record") + "Out",
            __base__=Shown,
            __doc__=(record.__doc__ or "").split("\n\n")[0],
            **fields,
        )
    return _MADE[record]


def _shown_as(hint: Any) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(_shown_as(one) for one in inner)]  # noqa: UP007
    if origin is tuple:
        return list[_shown_as(inner[0])]  # type: ignore[misc]
    if origin in (Mapping, dict):
        return dict[str, _shown_as(inner[1])]  # type: ignore[misc]
    if dataclasses.is_dataclass(hint):
        return model_of(typing.cast(type[Any], hint))
    return Number if hint is float else hint


RunOut: Any = model_of(RunRecord)
ProjectOut: Any = model_of(ProjectRecord)
#: A record of any kind.
RecordOut: Any = typing.Union[tuple(map(model_of, RECORD_KINDS.values()))]  # noqa: UP007


class ProjectsOut(Shown):
    """The projects of a workspace, by name. ``root_path`` is empty: it is nobody's business."""

    projects: list[ProjectOut]


class HealthOut(Shown):
    """How well a run is doing as a whole, as it was judged last."""

    score: Number = Field(description="0 to 100.")
    status: str = Field(examples=["healthy", "watch", "degraded", "critical"])


class HealthsOut(Shown):
    """Every run that was judged, by its id."""

    healths: dict[str, HealthOut]


class RunsOut(Shown):
    """Some runs, by time of creation."""

    runs: list[RunOut]
    next: str | None = Field(
        description="The cursor of the next page, null if this is the last. Runs that are added "
        "meanwhile move nothing."
    )


class RecordsOut(Shown):
    """Records of one kind in order of arrival."""

    records: list[RecordOut]
    next: int | None = Field(
        description="Where to go on (`after`) if these are not all, else null."
    )


Position = Annotated[int, Field(ge=1, description="The record's place in the order of arrival.")]


class ScanOut(Shown):
    """Records as they rest."""

    records: list[tuple[Position, str, int, int, str, int | None, int | None, int, str],] = Field(
        description="Position, writer, frame, place in the frame, kind, step, epoch, time in "
        "microseconds, and the body's JSON as text."
    )


class SeriesOut(Shown):
    """The points of a key in order of arrival, column by column. Columns that were not asked for
    are empty."""

    key: str
    writers: list[str]
    writer: list[int] = Field(description="Who wrote the point: a place in `writers`.")
    seq: list[int] = Field(description="The writer's frame that it came in.")
    step: list[int | None]
    epoch: list[int | None]
    time_us: list[int] = Field(description="Microseconds since 1970-01-01 UTC.")
    value: list[Number]


class ManySeriesOut(Shown):
    """Series of some keys."""

    series: list[SeriesOut]


class BucketsOut(Shown):
    """A series cut into equal ranges of steps, column by column; empty ranges are left out."""

    key: str
    step_start: list[int]
    step_end: list[int]
    count: list[int]
    nonfinite_count: list[int]
    minimum: list[Number] = Field(description="Over finite values; `NaN` if there is none.")
    maximum: list[Number]
    mean: list[Number]
    last: list[Number] = Field(description="The value at the highest step.")


class ManyBucketsOut(Shown):
    """Some keys, each cut into ranges of steps."""

    buckets: list[BucketsOut]


class KeyOut(Shown):
    """What is known of a metric key. ``last_…`` are of the point that arrived last."""

    key: str
    count: int
    nonfinite_count: int
    step_min: int | None
    step_max: int | None
    last_step: int | None
    last_epoch: int | None
    last_time_us: int
    last_value: Number


class KeysOut(Shown):
    """All metric keys of a run, by first arrival."""

    keys: list[KeyOut]


#: Kind, name, revision and body.
DocumentRow = tuple[str, str, int, dict[str, Any]]


class DocumentsOut(Shown):
    """Documents by name: kind, name, revision and body of each."""

    documents: list[DocumentRow]


class DocumentOut(Shown):
    """One document, or null."""

    document: DocumentRow | None


class ChangedDocumentsOut(Shown):
    """What each document is after the changes; null if it is not there any more."""

    documents: list[DocumentRow | None]
