"""The store behind a service, reached over HTTP. The other side is :mod:`quark.service`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from quark.errors import (
    RecordRejectedError,
    RunNotFoundError,
    SchemaValidationError,
    SessionStoreError,
)
from quark.persistence.http_documents import HttpDocuments
from quark.persistence.http_records import HttpRecords
from quark.persistence.service_client import ServiceClient
from quark.persistence.wire import API_PREFIX, BATCH_TYPE, MAX_BODY_BYTES, OWN_WORKSPACE
from quark.storage.admission import check_batch, check_keys, is_run_id
from quark.storage.model import Batch

if TYPE_CHECKING:
    from quark.persistence.http_blobs import HttpBlobs
    from quark.persistence.http_points import HttpPoints
    from quark.persistence.outbox import OutboxBlobs, SentPayloads


class HttpStore:
    """A :class:`~quark.storage.protocols.Store` that a service keeps. Owns its connections.

    Making one sends nothing. Threads may share it; after a ``fork`` both sides may go on.

    Payloads that the service cannot take now are kept in the folder ``outbox``, if there is one;
    ``offline`` keeps all of them there.
    """

    def __init__(
        self, http: ServiceClient, *, outbox: Path | None = None, offline: bool = False
    ) -> None:
        self._http = http
        self._outbox = outbox
        self._offline = offline
        self._delivered: dict[str, dict[str, int]] = {}  # by run and writer: the last frame
        self._records = HttpRecords(http, forget_run=self._forget_run)
        self._documents = HttpDocuments(http)

    @property
    def records(self) -> HttpRecords:
        return self._records

    @cached_property
    def points(self) -> HttpPoints:
        from quark.persistence.http_points import HttpPoints  # numpy

        return HttpPoints(self._http, self._delivered)

    @cached_property
    def blobs(self) -> HttpBlobs | OutboxBlobs:
        if self._outbox is None:
            return self.payloads
        from quark.persistence.outbox import OutboxBlobs

        return OutboxBlobs(
            self.payloads, self._outbox, offline=self._offline, check_open=self._http.check_open
        )

    @cached_property
    def payloads(self) -> HttpBlobs:
        """What the service itself has of payloads."""
        from quark.persistence.http_blobs import HttpBlobs  # OpenSSL

        return HttpBlobs(self._http)

    @cached_property
    def service(self) -> HttpStore:
        """The service alone, without what waits on this machine. Closed with this one."""
        alone = type(self)(self._http)
        alone.payloads = self.payloads
        return alone

    @property
    def has_waiting_payloads(self) -> bool:
        """Whether payloads wait on this machine for the service."""
        return self._outbox is not None and self._outbox.is_dir()

    def deliver_payloads(self, until_seconds: float = float("inf")) -> SentPayloads:
        """Send payloads that wait; see :meth:`~quark.persistence.outbox.OutboxBlobs.deliver`.

        Raises:
            SessionStoreError: The service does not take them now.
        """
        from quark.persistence.outbox import OutboxBlobs, SentPayloads

        if not self.has_waiting_payloads:
            return SentPayloads()
        blobs = self.blobs
        assert isinstance(blobs, OutboxBlobs)
        return blobs.deliver(until_seconds)

    @property
    def documents(self) -> HttpDocuments:
        return self._documents

    @property
    def http(self) -> ServiceClient:
        """What requests go through."""
        return self._http

    @property
    def workspace(self) -> str:
        """The workspace as it was named; ``-`` stands for the user key's own."""
        return self._http.workspace

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
        for block in batch.blocks:
            check_keys(block.keys)
        delivered = self._delivered.get(batch.run_id, {}).get(batch.writer_id)
        body = encode_batch(batch, delivered)
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
            new_frame_count = _count(answer, self.target)
        except SchemaValidationError as error:
            # About the request, not about what is in it: that would be a RecordRejectedError.
            raise SessionStoreError(f"{self.target} does not take batches now: {error}") from error
        except SessionStoreError:
            # The service may have been set back to an older state: ask nothing of it next time.
            self._delivered.get(batch.run_id, {}).pop(batch.writer_id, None)
            raise
        self._delivered.setdefault(batch.run_id, {})[batch.writer_id] = batch.last_seq
        return new_frame_count

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

    def named_workspace(self) -> str:
        """Return the workspace's name; the service is asked where that was left to the key."""
        return self.own_workspace() if self.workspace == OWN_WORKSPACE else self.workspace

    def own_workspace(self) -> str:
        """Return the name of the workspace that the user key belongs to."""
        self._http.check_open()
        return str(self._http.get(f"{API_PREFIX}/me")["workspace"])

    def close(self) -> None:
        if "payloads" in self.__dict__:
            self.payloads.close()
        self._http.close()

    def _forget_run(self, run_id: str) -> None:
        self._delivered.pop(run_id, None)


def _count(answer: bytes, target: str) -> int:
    try:
        return int(answer)
    except ValueError as error:
        raise SessionStoreError(
            f"{target} sent {answer[:80]!r} and no number of frames."
        ) from error
