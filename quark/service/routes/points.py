"""Points of a run: keys, series, buckets, and rows of values from clients that send JSON."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from quark.errors import SchemaValidationError
from quark.persistence.wire import JSON_TYPE, SERIES_TYPE
from quark.persistence.wire_series import plain_stats
from quark.service.access import Access
from quark.service.ingest import RunPlace
from quark.service.lifecycle import metric_rows
from quark.service.models import KeysOut, ManyBucketsOut, ManySeriesOut
from quark.service.models_writing import MetricsIn, StoredOut
from quark.service.reading import MAX_JSON_POINTS, PointsAsked
from quark.service.routes.asked import IdempotencyKey, Reader, RunId, Writer
from quark.service.routes.records import json_answer
from quark.service.run_writing import RunWriting, frame_of
from quark.service.state import state_of
from quark.service.steps import Steps
from quark.storage.model import Columns

#: Points of several keys in one packed answer: some 50 bytes each, and twice that while it is made.
MAX_PACKED_POINTS = 8_000_000

router = APIRouter(tags=["points"])

Keys = Annotated[
    list[str],
    Query(alias="key", max_length=1000, description="Metric keys.", examples=[["train/loss"]]),
]
_BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {SERIES_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/runs/{run_id}/keys", summary="List metric keys", response_model=KeysOut)
def list_keys(run_id: RunId, access: Reader) -> Response:
    """Return every metric key with its count and last point, by first arrival."""
    stats = access.store.points.keys(run_id)
    return json_answer({"keys": [plain_stats(each) for each in stats.values()]})


@router.get(
    "/runs/{run_id}/series",
    summary="Read points",
    response_model=ManySeriesOut,
    responses=_BINARY,
)
def read_series(
    run_id: RunId,
    request: Request,
    access: Reader,
    steps: Steps,
    keys: Keys = [],  # noqa: B006
    columns: Annotated[
        Columns, Query(description="`step_value` leaves all other columns empty.")
    ] = "all",
    accept: Annotated[
        str, Header(max_length=1000, description=f"`{SERIES_TYPE}` for packed columns.")
    ] = "*/*",
) -> Response:
    """Return all points of some keys in order of arrival: columns as JSON, or packed if asked.

    As JSON at most a million points; ask for the newest (`limit`), for ranges (`buckets`), or for
    packed columns, of which several keys may have eight million together, and one any number.
    """
    is_packed = SERIES_TYPE in accept
    asked = PointsAsked(run_id=run_id, keys=keys, steps=steps, columns=columns, is_packed=is_packed)
    if is_packed:
        _check_room(access, asked)
    media_type = SERIES_TYPE if is_packed else JSON_TYPE
    return Response(_read(request, access, asked), media_type=media_type)


@router.get(
    "/runs/{run_id}/buckets", summary="Read points for a plot", response_model=ManyBucketsOut
)
def read_buckets(
    run_id: RunId,
    request: Request,
    access: Reader,
    steps: Steps,
    keys: Keys = [],  # noqa: B006
    bucket_count: Annotated[
        int, Query(ge=1, le=10_000, description="Into how many ranges of steps to cut.")
    ] = 1000,
) -> Response:
    """Return some keys cut into equal ranges of steps: minimum, maximum, mean and last value."""
    if len(keys) * bucket_count > MAX_JSON_POINTS:
        raise SchemaValidationError(
            f"{len(keys)} keys in {bucket_count} ranges each are more than {MAX_JSON_POINTS} "
            "ranges. Ask for fewer at once."
        )
    asked = PointsAsked(run_id=run_id, keys=keys, steps=steps, bucket_count=bucket_count)
    return Response(_read(request, access, asked), media_type=JSON_TYPE)


def _check_room(access: Access, asked: PointsAsked) -> None:
    """Refuse to gather several series that are very long together; each alone is answered."""
    if len(asked.keys) < 2:
        return
    stats, limit = access.store.points.keys(asked.run_id), asked.steps.limit
    counts = [stats[key].count for key in asked.keys if key in stats]
    count = sum(counts if limit is None else (min(limit, one) for one in counts))
    if count > MAX_PACKED_POINTS:
        raise SchemaValidationError(
            f"These {len(asked.keys)} keys have {count} points; at most {MAX_PACKED_POINTS} of "
            "several keys are packed at once. Ask for fewer keys at once."
        )


def _read(request: Request, access: Access, asked: PointsAsked) -> bytes:
    place = RunPlace(access.workspace, access.storage_dir, asked.run_id)
    return state_of(request).reading.read(place, access.store, asked)


@router.post(
    "/runs/{run_id}/metrics", summary="Write points", status_code=201, response_model=StoredOut
)
async def write_metrics(
    run_id: RunId,
    sent: MetricsIn,
    request: Request,
    access: Writer,
    key: IdempotencyKey = None,
) -> Response:
    """Store rows of values, all of them or none, for clients that have no Quark.

    Quark's own clients send batches, which is much faster.
    """
    state = state_of(request)
    frame = frame_of(key)
    content = await run_in_threadpool(metric_rows, sent, state.clock)
    stored = await RunWriting(state, access, run_id).put(content, frame)
    return json_answer({"stored": stored}, status=201)
