"""Parts of uploads in a bucket, beside what else lies there."""

from __future__ import annotations

import pytest

from quark.errors import SessionStoreError
from quark.service.parts_bucket import PartsBucket
from quark.service.uploads import MOST_OPEN_UPLOADS, describe
from quark.storage.object_blobs import ObjectBlobs
from quark.storage.object_bucket import BucketOptions, ObjectBucket

obstore_stores = pytest.importorskip("obstore.store", reason="obstore is not installed")

EVER_US = 2**62


def test_a_store_that_is_called_like_the_folder_of_uploads_keeps_its_payloads() -> None:
    bucket = ObjectBucket(obstore_stores.MemoryStore(), "", "memory:", BucketOptions())
    team = PartsBucket(bucket.below("team"))
    upload = describe("ann", "0" * 64, 25, 10)
    stores = [
        ObjectBlobs(bucket.below(f"team/incoming{below}")) for below in ("", f"/{upload.upload_id}")
    ]
    kept = [[blobs.put(b"weights %d" % number)[0] for number in range(300)] for blobs in stores]
    below = PartsBucket(bucket.below("team/incoming"))
    below.begin(upload)

    team.begin(upload)
    removed = team.remove_abandoned(EVER_US)

    assert removed == 1
    assert [sorted(blobs.digests()) for blobs in stores] == [sorted(some) for some in kept]
    assert below.find(upload.upload_id) == upload


def test_only_so_many_uploads_are_under_way_at_once() -> None:
    bucket = ObjectBucket(obstore_stores.MemoryStore(), "", "memory:", BucketOptions())
    parts = PartsBucket(bucket.below("team"))
    for size_bytes in range(1, MOST_OPEN_UPLOADS + 1):
        parts.begin(describe("ann", "0" * 64, size_bytes, 10))

    with pytest.raises(SessionStoreError, match="under way"):
        parts.begin(describe("ann", "0" * 64, MOST_OPEN_UPLOADS + 1, 10))
