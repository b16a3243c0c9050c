"""Documents: what belongs to no single run, such as sweeps and versions of artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from quark.persistence.wire import JSON_TYPE
from quark.service.documents import apply_once, write_listed
from quark.service.models import ChangedDocumentsOut, DocumentOut, DocumentsOut
from quark.service.models_writing import Sent
from quark.service.routes.asked import Reader, Writer
from quark.service.routes.records import json_answer
from quark.storage.documents import DocumentChange

router = APIRouter(tags=["documents"])

#: A list up to this size is answered from memory, a longer one from a file.
_SPOOL_BYTES = 4 << 20
_PIECE_BYTES = 256 << 10

Kind = Annotated[
    str,
    Path(
        max_length=64,
        description="Lower-case letters, digits and underscores, a letter first.",
        examples=["sweep"],
    ),
]


class ChangeModel(Sent):
    """What shall become of one document: a new body, or null to remove it."""

    kind: str = Field(max_length=64, examples=["sweep"])
    name: str = Field(max_length=1024, examples=["vision/abc123"])
    body: dict[str, Any] | None = None
    expected: int | None = Field(
        None,
        ge=0,
        lt=2**63,
        description="The revision that it must have, 0 if it must not be there; null if that does "
        "not matter.",
    )


class ChangesModel(Sent):
    """Changes of which all are carried out, or none."""

    name: str = Field(
        min_length=1,
        max_length=64,
        pattern="^[A-Za-z0-9_-]+$",
        description="Names the request, so that sending it again is harmless.",
        examples=["k3j9x0a7"],
    )
    changes: list[ChangeModel] = Field(max_length=1000)


@router.get("/documents/{kind}", summary="List documents", response_model=DocumentsOut)
def list_documents(
    kind: Kind,
    access: Reader,
    prefix: Annotated[str, Query(max_length=1024, description="What their names begin with.")] = "",
    after: Annotated[
        int, Query(ge=0, lt=2**63, description="Only those written after this revision was.")
    ] = 0,
) -> Response:
    """Return the documents whose names begin with ``prefix``, by name."""
    listing = SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - whoever sends it closes it
    try:
        size_bytes = write_listed(access.store.documents, kind, prefix, after, listing)
        listing.seek(0)
        if size_bytes <= _SPOOL_BYTES:
            with listing:
                return Response(listing.read(), media_type=JSON_TYPE)
    except BaseException:
        listing.close()
        raise
    length = {"Content-Length": str(size_bytes)}
    return StreamingResponse(_pieces(listing), headers=length, media_type=JSON_TYPE)


def _pieces(listing: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    with listing:
        while piece := listing.read(_PIECE_BYTES):
            yield piece


@router.get("/documents/{kind}/item", summary="Read a document", response_model=DocumentOut)
def get_document(
    kind: Kind,
    access: Reader,
    name: Annotated[
        str,
        Query(max_length=4096, description="The document's name.", examples=["vision/abc123"]),
    ],
) -> Response:
    """Return a document, or null if there is none of this name."""
    return json_answer({"document": access.store.documents.get(kind, name)})


@router.post("/documents", summary="Change documents", response_model=ChangedDocumentsOut)
def change_documents(changes: ChangesModel, access: Writer) -> Response:
    """Carry out all changes, or none where a document is not at the revision expected of it."""
    wanted = [
        DocumentChange(change.kind, change.name, change.body, change.expected)
        for change in changes.changes
    ]
    return json_answer({"documents": apply_once(access.store.documents, changes.name, wanted)})
