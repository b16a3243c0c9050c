"""Records of a run that are no points."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.persistence.wire import JSON_TYPE
from quark.records import RECORD_KINDS
from quark.service.access import Access, needs
from quark.service.steps import Steps
from quark.storage.model import RecordFilter

router = APIRouter(tags=["records"])


@router.get("/runs/{run_id}/records/{kind}")
def read_records(
    run_id: str,
    kind: str,
    access: Annotated[Access, Depends(needs("read"))],
    steps: Steps,
    equals: Annotated[
        str | None,
        Query(
            max_length=65_536,
            description='JSON: fields with the values they may have, as {"severity": ["error"]}.',
        ),
    ] = None,
) -> Response:
    """Return records of one kind in order of arrival."""
    record_kind = RECORD_KINDS.get(kind)
    if record_kind is None:
        raise SchemaValidationError(
            f"{kind!r} is no kind of record; known are: {', '.join(sorted(RECORD_KINDS))}."
        )
    where = RecordFilter(steps=steps, equals=_equals(equals))
    found = access.store.records.read(record_kind, run_id, where)
    return json_answer({"records": [record.to_dict() for record in found]})


@router.get("/runs/{run_id}/scan")
def scan_records(
    run_id: str,
    access: Annotated[Access, Depends(needs("read"))],
    kind: Annotated[list[str] | None, Query(description="Which kinds; none if left out.")] = None,
    after: Annotated[int, Query(ge=0, lt=2**63, description="The last position seen.")] = 0,
) -> Response:
    """Return records as they rest, from a position on, some thousands at once.

    A row is position, writer, seq, ordinal, kind, step, epoch, time in µs, and the body's JSON as
    text. Ask again after the last position until no row comes.
    """
    parts = access.store.records.scan(run_id, kind or (), after=after)
    rows = [(*row[:-1], _text(row.body)) for row in next(iter(parts), ())]
    return json_answer({"records": rows})


@router.get("/runs/{run_id}/counts")
def count_records(run_id: str, access: Annotated[Access, Depends(needs("read"))]) -> dict[str, int]:
    """Return how many records of each kind the run has."""
    return access.store.records.count(run_id)


def json_answer(value: Any) -> Response:
    """Return ``value`` as JSON without a detour through models: these answers can be large."""
    return Response(jsonio.dumps(value), media_type=JSON_TYPE)


def _equals(text: str | None) -> dict[str, Any]:
    wanted = jsonio.loads(text) if text else {}
    if not isinstance(wanted, dict):
        raise SchemaValidationError("equals must be a JSON object of fields and their values.")
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in wanted.items()
    }


def _text(body: str | bytes) -> str:
    return body if isinstance(body, str) else body.decode()
