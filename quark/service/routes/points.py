"""Points of a run: keys, series, buckets, and rows of values from clients that send JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from quark.errors import SchemaValidationError
from quark.persistence.wire import SERIES_TYPE
from quark.persistence.wire_series import encode_series, plain_buckets, plain_series, plain_stats
from quark.service.lifecycle import metric_rows
from quark.service.models import KeysOut, ManyBucketsOut, ManySeriesOut
from quark.service.models_writing import MetricsIn, StoredOut
from quark.service.routes.asked import IdempotencyKey, Reader, RunId, Writer
from quark.service.routes.records import json_answer
from quark.service.run_writing import RunWriting, frame_of
from quark.service.state import state_of
from quark.service.steps import Steps
from quark.storage.model import Columns

router = APIRouter(tags=["points"])

#: Points, or ranges of them, in one answer as JSON.
MAX_JSON_POINTS = 1_000_000

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
    packed columns, which have no such limit.
    """
    points = access.store.points
    if SERIES_TYPE in accept:
        found = points.many_series(run_id, keys, steps, columns=columns)
        return Response(encode_series(found.values()), media_type=SERIES_TYPE)
    limit = MAX_JSON_POINTS + 1 if steps.limit is None else min(steps.limit, MAX_JSON_POINTS + 1)
    found = points.many_series(run_id, keys, replace(steps, limit=limit), columns=columns)
    if sum(map(len, found.values())) > MAX_JSON_POINTS:
        raise SchemaValidationError(
            f"These are more than {MAX_JSON_POINTS} points, too many for JSON. Ask for the newest "
            f"with 'limit', for .../buckets, or with 'Accept: {SERIES_TYPE}'."
        )
    return json_answer({"series": [plain_series(series) for series in found.values()]})


@router.get(
    "/runs/{run_id}/buckets", summary="Read points for a plot", response_model=ManyBucketsOut
)
def read_buckets(
    run_id: RunId,
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
    points = access.store.points
    found: list[dict[str, Any]] = [
        plain_buckets(points.buckets(run_id, key, bucket_count, steps)) for key in keys
    ]
    return json_answer({"buckets": found})


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
