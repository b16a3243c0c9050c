"""Documents: what belongs to no single run, such as sweeps and versions of artifacts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from quark.service.access import Access, needs
from quark.service.documents import apply_once
from quark.service.routes.records import json_answer
from quark.storage.documents import DocumentChange

router = APIRouter(tags=["documents"])


class ChangeModel(BaseModel):
    """What shall become of one document: a new body, or null to remove it."""

    kind: str = Field(max_length=64, examples=["sweep"])
    name: str = Field(max_length=1024, examples=["vision/abc123"])
    body: dict[str, Any] | None = None
    expected: int | None = Field(None, ge=0, lt=2**63, description="The revision it must have.")


class ChangesModel(BaseModel):
    """Changes of which all are carried out, or none. ``name`` makes a repeat of them harmless."""

    name: str = Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")
    changes: list[ChangeModel] = Field(max_length=1000)


@router.get("/documents/{kind}")
def list_documents(
    kind: str,
    access: Annotated[Access, Depends(needs("read"))],
    prefix: Annotated[str, Query(max_length=1024)] = "",
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> Response:
    """Return the documents whose names begin with ``prefix``, by name; those after a revision."""
    return json_answer({"documents": access.store.documents.list(kind, prefix, after=after)})


@router.get("/documents/{kind}/item")
def get_document(
    kind: str,
    access: Annotated[Access, Depends(needs("read"))],
    name: Annotated[str, Query(max_length=4096)],
) -> Response:
    """Return a document, or null if there is none of this name."""
    return json_answer({"document": access.store.documents.get(kind, name)})


@router.post("/documents")
def change_documents(
    changes: ChangesModel, access: Annotated[Access, Depends(needs("write"))]
) -> Response:
    """Carry out all changes, or none where a document is not at the revision expected of it."""
    wanted = [
        DocumentChange(change.kind, change.name, change.body, change.expected)
        for change in changes.changes
    ]
    return json_answer({"documents": apply_once(access.store.documents, changes.name, wanted)})
