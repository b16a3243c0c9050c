"""Points of a run: keys, series and buckets."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from quark.persistence.wire import SERIES_TYPE
from quark.persistence.wire_series import encode_series, plain_buckets, plain_series, plain_stats
from quark.service.access import Access, needs
from quark.service.routes.records import json_answer
from quark.service.steps import Steps
from quark.storage.model import Columns

router = APIRouter(tags=["points"])

Keys = Annotated[list[str], Query(alias="key", max_length=1000, description="Metric keys.")]
_BINARY = {200: {"content": {SERIES_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("/runs/{run_id}/keys")
def list_keys(run_id: str, access: Annotated[Access, Depends(needs("read"))]) -> Response:
    """Return every metric key with its count and last point, by first arrival."""
    stats = access.store.points.keys(run_id)
    return json_answer({"keys": [plain_stats(each) for each in stats.values()]})


@router.get("/runs/{run_id}/series", responses=_BINARY)  # type: ignore[arg-type]
def read_series(
    run_id: str,
    access: Annotated[Access, Depends(needs("read"))],
    steps: Steps,
    keys: Keys = [],  # noqa: B006
    columns: Columns = "all",
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """Return all points of some keys in order of arrival: columns as JSON, or packed if asked."""
    found = access.store.points.many_series(run_id, keys, steps, columns=columns)
    if SERIES_TYPE in accept:
        return Response(encode_series(found.values()), media_type=SERIES_TYPE)
    return json_answer({"series": [plain_series(series) for series in found.values()]})


@router.get("/runs/{run_id}/buckets")
def read_buckets(
    run_id: str,
    access: Annotated[Access, Depends(needs("read"))],
    steps: Steps,
    keys: Keys = [],  # noqa: B006
    bucket_count: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Response:
    """Return some keys cut into equal ranges of steps: minimum, maximum, mean and last value."""
    points = access.store.points
    found: list[dict[str, Any]] = [
        plain_buckets(points.buckets(run_id, key, bucket_count, steps)) for key in keys
    ]
    return json_answer({"buckets": found})
