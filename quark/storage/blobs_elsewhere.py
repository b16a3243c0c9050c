"""A store whose payloads are in an object store, and everything else where it was."""

from __future__ import annotations

from quark.errors import SessionStoreError
from quark.storage.object_blobs import ObjectBlobs
from quark.storage.object_bucket import ObjectBucket
from quark.storage.passing import PassingStore
from quark.storage.protocols import Store


class BlobsElsewhere(PassingStore):
    """A :class:`~quark.storage.protocols.Store` of two: payloads in ``bucket``, the rest in
    ``store``, which it owns."""

    def __init__(self, store: Store, bucket: ObjectBucket) -> None:
        super().__init__(store)
        self._closed = False
        self._blobs = ObjectBlobs(bucket, self._check_open)

    @property
    def blobs(self) -> ObjectBlobs:
        return self._blobs

    def close(self) -> None:
        self._closed = True
        super().close()

    def _check_open(self) -> None:
        if self._closed:
            raise SessionStoreError("This store is closed; open a new one.")
