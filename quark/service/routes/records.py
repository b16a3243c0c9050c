"""Records of a run that are no points."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.persistence.wire import JSON_TYPE
from quark.records import RECORD_KINDS
from quark.service.lifecycle import plain_records
from quark.service.models import RecordsOut, ScanOut
from quark.service.models_writing import RecordsIn, StoredOut
from quark.service.record_pages import MAX_RECORDS, read_records as read_page
from quark.service.routes.asked import IdempotencyKey, Reader, RunId, Writer
from quark.service.run_writing import RunWriting, frame_of
from quark.service.state import state_of
from quark.service.steps import Steps
from quark.storage.model import RecordFilter

router = APIRouter(tags=["records"])

Kind = Annotated[
    str, Path(max_length=64, description="A kind of record.", examples=["event", "alert"])
]
_After = Annotated[int, Query(ge=0, lt=2**63, description="The last position seen.")]


@router.get("/runs/{run_id}/records/{kind}", summary="Read records", response_model=RecordsOut)
def read_records(
    run_id: RunId,
    kind: Kind,
    access: Reader,
    steps: Steps,
    equals: Annotated[
        str | None,
        Query(
            max_length=65_536,
            description='JSON: fields with the values they may have, as {"severity": ["error"]}.',
            examples=['{"severity": ["error", "warning"]}'],
        ),
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, lt=2**63, description="`next` of the page before.")
    ] = None,
) -> Response:
    record_kind = RECORD_KINDS.get(kind)
    if record_kind is None:
        raise SchemaValidationError(
            f"{kind!r} is no kind of record; known are: {', '.join(sorted(RECORD_KINDS))}."
        )
    if steps.limit is not None and steps.limit > MAX_RECORDS:
        raise SchemaValidationError(
            f"limit is {steps.limit}, but may be at most {MAX_RECORDS}. Leave it out to get all "
            "records, a page at a time."
        )
    where = RecordFilter(steps=steps, equals=_equals(equals))
    page = read_page(access.store.records, record_kind, run_id, where, after)
    return json_answer({"records": [one.to_dict() for one in page.records], "next": page.next})


read_records.__doc__ = f"""Return records of one kind in order of arrival.

With ``limit`` the newest so many, {MAX_RECORDS} at most. Without it all of them; if they are more
than {MAX_RECORDS}, the first, and ``next`` says where to go on.
"""


@router.post(
    "/runs/{run_id}/records/{kind}",
    summary="Write records",
    status_code=201,
    response_model=StoredOut,
)
async def write_records(
    run_id: RunId,
    kind: Kind,
    sent: RecordsIn,
    request: Request,
    access: Writer,
    key: IdempotencyKey = None,
) -> Response:
    """Store records of one kind, all of them or none; each is checked against the schema."""
    state = state_of(request)
    frame = frame_of(key)
    content = await run_in_threadpool(plain_records, kind, sent.records, run_id, state.clock)
    stored = await RunWriting(state, access, run_id).put(content, frame)
    return json_answer({"stored": stored}, status=201)


@router.get("/runs/{run_id}/scan", summary="Read records as they rest", response_model=ScanOut)
def scan_records(
    run_id: RunId,
    access: Reader,
    kind: Annotated[
        list[str] | None, Query(max_length=100, description="Which kinds; none if left out.")
    ] = None,
    after: _After = 0,
) -> Response:
    """Return records as they rest, from a position on, some thousands at once.

    Ask again after the last position until no row comes.
    """
    parts = access.store.records.scan(run_id, kind or (), after=after)
    rows = [(*row[:-1], _text(row.body)) for row in next(iter(parts), ())]
    return json_answer({"records": rows})


@router.get(
    "/runs/{run_id}/counts",
    summary="Count records",
    responses={200: {"content": {JSON_TYPE: {"example": {"run": 1, "event": 12}}}}},
)
def count_records(run_id: RunId, access: Reader) -> dict[str, int]:
    """Return how many records of each kind the run has."""
    return access.store.records.count(run_id)


def json_answer(value: Any, *, status: int = 200) -> Response:
    """Return ``value`` as JSON without a detour through models: these answers can be large."""
    return Response(jsonio.dumps(value), status, media_type=JSON_TYPE)


def _equals(text: str | None) -> dict[str, Any]:
    wanted = jsonio.loads(text) if text else {}
    if not isinstance(wanted, dict):
        raise SchemaValidationError("equals must be a JSON object of fields and their values.")
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in wanted.items()
    }


def _text(body: str | bytes) -> str:
    return body if isinstance(body, str) else body.decode()
