"""Parts of requests that many routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Path, Query

from quark.records import RunStatus
from quark.service.access import Access, needs
from quark.service.live_cursor import MAX_CURSOR_CHARACTERS
from quark.storage.admission import MAX_RUN_ID_BYTES
from quark.storage.model import RunQuery

Reader = Annotated[Access, Depends(needs("read"))]
Writer = Annotated[Access, Depends(needs("write"))]

RunId = Annotated[
    str,
    Path(max_length=MAX_RUN_ID_BYTES, description="The run's id.", examples=["run_4k2j9x0a7bqc"]),
]
Cursor = Annotated[
    str | None,
    Query(
        alias="after",
        max_length=MAX_CURSOR_CHARACTERS,
        description="The cursor of the answer before, as it was. Left out: from the beginning.",
    ),
]
WaitSeconds = Annotated[
    float,
    Query(ge=0, le=60, description="For how long to wait for something to tell, in seconds."),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Makes sending again harmless. `NAME:NUMBER`, such as `loop-1:42`, for one of "
        "many requests that come one after the other: the number goes up. Any other text for a "
        "single one.",
        examples=["loop-1:42"],
    ),
]

_Text = Annotated[str | None, Query(max_length=512)]


def _runs(
    project: Annotated[
        str | None, Query(max_length=512, description="A project's name, or its id.")
    ] = None,
    label: Annotated[
        str | None, Query(max_length=512, description="The workspace that the run's record names.")
    ] = None,
    status: RunStatus | None = None,
    group: _Text = None,
    tag: Annotated[
        list[str] | None, Query(max_length=100, description="A tag; all of them must be there.")
    ] = None,
    newest_first: Annotated[bool, Query(description="By time of creation.")] = True,
) -> RunQuery:
    return RunQuery(
        project=project,
        workspace=label,
        status=status,
        group=group,
        tags=tuple(tag or ()),
        newest_first=newest_first,
    )


#: Which runs, without a page of them.
RunsAsked = Annotated[RunQuery, Depends(_runs)]
