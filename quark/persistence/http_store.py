"""The store behind a service, reached over HTTP. The other side is :mod:`quark.service`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from quark.errors import RecordRejectedError, RunNotFoundError, SessionStoreError
from quark.persistence.http_documents import HttpDocuments
from quark.persistence.http_records import HttpRecords
from quark.persistence.service_client import ServiceClient
from quark.persistence.wire import BATCH_TYPE, MAX_BODY_BYTES
from quark.storage.admission import check_batch, is_run_id
from quark.storage.model import Batch

if TYPE_CHECKING:
    from quark.persistence.http_blobs import HttpBlobs
    from quark.persistence.http_points import HttpPoints


class HttpStore:
    """A :class:`~quark.storage.protocols.Store` that a service keeps. Owns its connections.

    Making one sends nothing. Threads may share it; after a ``fork`` both sides may go on.
    """

    def __init__(self, http: ServiceClient) -> None:
        self._http = http
        self._delivered: dict[tuple[str, str], int] = {}
        self._records = HttpRecords(http)
        self._documents = HttpDocuments(http)

    @property
    def records(self) -> HttpRecords:
        return self._records

    @cached_property
    def points(self) -> HttpPoints:
        from quark.persistence.http_points import HttpPoints  # numpy

        return HttpPoints(self._http)

    @cached_property
    def blobs(self) -> HttpBlobs:
        from quark.persistence.http_blobs import HttpBlobs  # OpenSSL

        return HttpBlobs(self._http)

    @property
    def documents(self) -> HttpDocuments:
        return self._documents

    @property
    def http(self) -> ServiceClient:
        """What requests go through."""
        return self._http

    @property
    def target(self) -> str:
        return self._http.target

    def append(self, batch: Batch) -> int:
        """Apply a batch; see :meth:`~quark.storage.protocols.Store.append`.

        The service is told which frame of the writer this process delivered before, so that a
        batch that overtook another on its way is refused, and sent again in its turn.
        """
        from quark.persistence.wire_batch import encode_batch  # numpy

        self._http.check_open()
        check_batch(batch)
        writer = (batch.run_id, batch.writer_id)
        body = encode_batch(batch, self._delivered.get(writer))
        if len(body) > MAX_BODY_BYTES:
            raise RecordRejectedError(
                f"Frames {batch.first_seq} to {batch.last_seq} of writer {batch.writer_id!r} are "
                f"{len(body)} bytes; a service takes at most {MAX_BODY_BYTES} at once."
            )
        try:
            answer = self._http.request(
                "POST",
                self._http.path("runs", batch.run_id, "batches"),
                body=body,
                content_type=BATCH_TYPE,
            )
        except SessionStoreError:
            # The service may have been set back to an older state: ask nothing of it next time.
            self._delivered.pop(writer, None)
            raise
        self._delivered[writer] = batch.last_seq
        return int(answer)

    def position(self, run_id: str, writer_id: str) -> int:
        self._http.check_open()
        if not is_run_id(run_id):
            return 0
        path = self._http.path("runs", run_id, "position")
        return int(self._http.get(path, {"writer_id": writer_id})["position"])

    def run_dir(self, run_id: str) -> Path | None:
        self._http.check_open()
        if not is_run_id(run_id):
            raise RunNotFoundError(f"There is no run {run_id!r}: no run can have this id.")
        return None

    def close(self) -> None:
        self._http.close()
