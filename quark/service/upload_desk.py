"""Where the uploads of a request's store are, and how many are put together at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request

from quark.errors import SessionStoreError
from quark.service.access import Access
from quark.service.config import MIB, ServiceConfig
from quark.service.parts_bucket import PartsBucket
from quark.service.parts_folder import PartsFolder
from quark.service.state import ServiceState, state_of
from quark.service.uploads import (
    ABANDONED_AFTER_SECONDS,
    Parts,
    Upload,
    check_upload_id,
    describe,
    no_such_upload,
)
from quark.storage.object_blobs import ObjectBlobs

#: A part is this long, unless the service takes less or there would be too many.
_PART_BYTES = 8 * MIB
_ENOUGH_PARTS = 1_000
_TIDY_EVERY_SECONDS = 3_600
#: Putting parts together reads and writes as fast as the disk can: more at once are not faster.
_MOST_AT_ONCE = 4


class UploadDesk:
    """What all requests of one service process share about uploads."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._completing: set[str] = set()
        self._tidied: dict[str, float] = {}

    @property
    def config(self) -> ServiceConfig:
        return self._state.config

    def parts(self, access: Access) -> Parts:
        """Return where the parts of a request's store rest."""
        blobs = access.store.blobs
        if isinstance(blobs, ObjectBlobs):
            return PartsBucket(blobs.bucket)
        return PartsFolder(self.config.root / "incoming-parts" / access.workspace)

    def begin(self, access: Access, sha256: str, size_bytes: int) -> Upload:
        """Make a place for an upload, or find it where it was begun before.

        Raises:
            SchemaValidationError: ``sha256`` is no digest.
            SessionStoreError: Too many are under way.
        """
        parts = self.parts(access)
        self._tidy(access, parts)
        fair = -(-size_bytes // _ENOUGH_PARTS // MIB) * MIB
        part_bytes = min(max(_PART_BYTES, fair), self.config.max_part_bytes)
        upload = describe(_sender(access), sha256, size_bytes, part_bytes)
        parts.begin(upload)
        return upload

    def find(self, access: Access, upload_id: str) -> Upload:
        """Return an upload of this caller's.

        Raises:
            ArtifactNotFoundError: There is none.
        """
        upload = self.parts(access).find(check_upload_id(upload_id))
        own = describe(_sender(access), upload.sha256, upload.size_bytes, upload.part_bytes)
        if own != upload:
            raise no_such_upload(upload_id)  # whether somebody else has one is nobody's business
        return upload

    @contextmanager
    def completing(self, upload: Upload) -> Iterator[None]:
        """Let nobody else put the same upload together, nor too many do so at once.

        Raises:
            SessionStoreError: To be tried again soon.
        """
        with self._lock:
            if upload.upload_id in self._completing:
                raise _put_off("The upload is being put together; ask again.")
            if len(self._completing) >= _MOST_AT_ONCE:
                raise _put_off("Other uploads are being put together; ask again.")
            self._completing.add(upload.upload_id)
        try:
            yield
        finally:
            with self._lock:
                self._completing.discard(upload.upload_id)

    def _tidy(self, access: Access, parts: Parts) -> None:
        now = self._state.clock.monotonic()
        place = f"{access.workspace}/{access.storage_dir}"
        with self._lock:
            last = self._tidied.get(place)
            if last is not None and now < last + _TIDY_EVERY_SECONDS:
                return
            self._tidied[place] = now
        parts.remove_abandoned(self._state.clock.time_us() - ABANDONED_AFTER_SECONDS * 1_000_000)


def _sender(access: Access) -> str:
    return f"{access.workspace}/{access.storage_dir} {access.caller.user}"


def _put_off(message: str) -> SessionStoreError:
    error = SessionStoreError(message)
    error.retry_after_seconds = 1.0
    return error


async def _desk(request: Request) -> UploadDesk:
    """Asynchronous, so that two first requests do not make one each."""
    state = request.app.state
    if not hasattr(state, "upload_desk"):
        state.upload_desk = UploadDesk(state_of(request))
    desk: UploadDesk = state.upload_desk
    return desk


#: A route's part in uploads.
Desk = Annotated[UploadDesk, Depends(_desk)]
