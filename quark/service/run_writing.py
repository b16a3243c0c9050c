"""Batches that the service makes of what clients send as JSON. They go the way of all batches.

Each is one frame of one writer, so it is stored whole and once, or not at all. Whose frame it is
says the header ``Idempotency-Key``:

* ``NAME:NUMBER`` is frame NUMBER of a writer of the client's own. Numbers go up; one that is not
  above the last that was stored counts as sent again.
* Any other text makes a writer of its own, for this one request.
* Without it, it is the next frame of a writer that this process of the service has in the run.
  Who takes it while another does so, too, is not stored, and takes the one after it.

What changes a run itself is the next frame of a writer that all processes share, so that each sees
what the others have changed. Points never are: where they rest in another engine than records,
those of the process that was slower would stay, and count with the frame of the faster one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from fastapi.concurrency import run_in_threadpool

from quark import ids, jsonio
from quark.errors import SchemaValidationError, SessionStoreError
from quark.service.ingest import RunPlace

if TYPE_CHECKING:
    from quark.records import Record
    from quark.service.access import Access
    from quark.service.state import ServiceState
    from quark.storage.frame_content import FrameContent

#: The writer that processes of the service share in a run.
SERVICE_WRITER = "service"
_MAX_ATTEMPTS = 50
_NUMBERED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63}):([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Frame:
    """Which frame a request is."""

    writer_id: str
    seq: int


def frame_of(key: str | None) -> Frame | None:
    """Return which frame an ``Idempotency-Key`` names; None without one.

    Raises:
        SchemaValidationError: The number is 0 or beyond 63 bits.

    >>> frame_of("loop-1:42"), frame_of(None)
    (Frame(writer_id='api-loop-1', seq=42), None)
    """
    if not key:
        return None
    numbered = _NUMBERED.fullmatch(key)
    if numbered is None:
        return Frame(f"once-{digest(key)}", 1)
    number = int(numbered[2])
    if not 0 < number < 2**63 - 1:
        raise SchemaValidationError(
            f"Idempotency-Key {key!r} has the number {number}; numbers count from 1 and have at "
            "most 63 bits."
        )
    return Frame(f"api-{numbered[1]}", number)


def digest(text: str) -> str:
    """Return 24 characters that stand for a text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


class RunWriting:
    """Stores what one request says of one run."""

    def __init__(self, state: ServiceState, access: Access, run_id: str) -> None:
        self._state = state
        self._store = access.store
        self._place = RunPlace(access.workspace, access.storage_dir, run_id)

    async def put(self, content: FrameContent, frame: Frame | None) -> bool:
        """Store a frame; say whether it was new.

        Raises:
            RunNotFoundError: There is no such run.
            RecordRejectedError: It can never be stored.
            SessionStoreError: It cannot be stored now.
        """
        if frame is not None:
            return await self._append(content, frame)
        await self._write(self._state.intake.writer_id, lambda: content)
        return True

    async def change(self, decide: Callable[[], FrameContent | None]) -> None:
        """Store as the service what ``decide`` makes of the run as it is; None for nothing.

        It is called again, on a thread, if somebody else was faster.
        """
        await self._write(SERVICE_WRITER, decide)

    async def _write(self, writer_id: str, decide: Callable[[], FrameContent | None]) -> None:
        for _ in range(_MAX_ATTEMPTS):
            last_seq = await run_in_threadpool(self._store.position, self._place.run_id, writer_id)
            content = await run_in_threadpool(decide)
            if content is None:
                return
            if await self._append(content, Frame(writer_id, last_seq + 1)):
                return
        raise SessionStoreError(
            f"Run {self._place.run_id!r} is changed by too many at once; try again."
        )

    async def _append(self, content: FrameContent, frame: Frame) -> bool:
        from quark.persistence.wire_batch import encode_batch

        body = await run_in_threadpool(
            lambda: encode_batch(content.batch(self._place.run_id, frame.writer_id, frame.seq))
        )
        store = partial(self._state.intake.store, self._place, self._store, body, is_gzip=False)
        is_new = await self._state.ingest.put(self._place, len(body), store) > 0
        if is_new:
            self._state.live.touched(self._place)
        return is_new


def new_run_id(key: str | None, workspace: str, storage_dir: str) -> str:
    """Return the id of a new run; the same for the same ``Idempotency-Key``."""
    if not key:
        return ids.new_run_id()
    return f"run_{digest(jsonio.dumps([workspace, storage_dir, key]).decode())[:20]}"


def checked_fields(kind: type[Record], values: Sequence[str]) -> None:
    """Refuse names that are no fields of a kind.

    Raises:
        SchemaValidationError: One is not.
    """
    from dataclasses import fields

    from quark.records.base import ENVELOPE

    known = {item.name for item in fields(kind)} - ENVELOPE
    strange = sorted(set(values) - known)
    if strange:
        raise SchemaValidationError(
            f"Record {kind.KIND!r} has no field {strange[0]!r}; it has "
            f"{', '.join(sorted(known))}, and timestamp."
        )
