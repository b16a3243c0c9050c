"""Parts of uploads in the object store where the payloads go: ``incoming/<upload_id>/…``.

Clients may send parts there themselves, by URLs that the service signs. Such a part can be replaced
for as long as its URL lasts; that is why an upload is digested while it is copied to its place, and
not before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import groupby

from quark.service.uploads import (
    MOST_OPEN_UPLOADS,
    PartFile,
    Upload,
    check_upload_id,
    is_upload_id,
    no_such_upload,
    too_many_uploads,
)
from quark.storage.object_bucket import ObjectBucket, ObjectStatus
from quark.storage.ranged_file import RangedFile

_FOLDER = "incoming"
_ABOUT = "upload.json"
_PIECE_BYTES = 1 << 20
#: Parts that are held in memory at once, on their way to the object store.
_SENDING = threading.BoundedSemaphore(4)


class PartsBucket:
    """:class:`~quark.service.uploads.Parts` beside the payloads of a bucket."""

    def __init__(self, bucket: ObjectBucket) -> None:
        self._bucket = bucket

    def begin(self, upload: Upload) -> None:
        folder = _folder(upload.upload_id)
        statuses = list(self._bucket.list(folder))
        if any(status.key == f"{folder}/{_ABOUT}" for status in statuses):
            return
        if len({_id_of(status) for status in self._all()}) >= MOST_OPEN_UPLOADS:
            raise too_many_uploads()
        self._bucket.put(f"{folder}/{_ABOUT}", upload.to_json())

    def find(self, upload_id: str) -> Upload:
        key = f"{_folder(check_upload_id(upload_id))}/{_ABOUT}"
        try:
            return Upload.from_json(b"".join(self._bucket.stream(key)))
        except KeyError:
            raise no_such_upload(upload_id) from None

    def numbers(self, upload: Upload) -> list[int]:
        found = []
        for status in self._bucket.list(_folder(upload.upload_id)):
            name = status.key.rpartition("/")[2]
            number = int(name) if name.isdecimal() else upload.part_count
            # Who was given a URL may have sent anything to it.
            if number < upload.part_count and status.size_bytes == upload.bytes_of(number):
                found.append(number)
        return sorted(found)

    def put(self, upload: Upload, number: int, part: PartFile) -> None:
        with _SENDING:
            self._bucket.put(_key(upload, number), part.read())

    def read(self, upload: Upload) -> Iterator[bytes]:
        for number in range(upload.part_count):
            file = RangedFile(self._bucket, _key(upload, number), upload.bytes_of(number))
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def remove(self, upload: Upload) -> None:
        folder = _folder(upload.upload_id)
        self._bucket.delete([status.key for status in self._bucket.list(folder)])

    def signed_url(self, upload: Upload, number: int, seconds: float) -> str | None:
        return self._bucket.signed_url("PUT", _key(upload, number), seconds)

    def remove_abandoned(self, before_us: int) -> int:
        removed = 0
        for _, statuses in groupby(self._all(), key=_id_of):
            upload = list(statuses)
            if max(status.modified_us for status in upload) < before_us:
                self._bucket.delete([status.key for status in upload])
                removed += 1
        return removed

    def _all(self) -> Iterator[ObjectStatus]:
        """Yield what belongs to uploads. A store below this one may be called ``incoming``, too,
        and then its payloads lie in the same folder."""
        for status in self._bucket.list(_FOLDER):
            names = status.key.split("/")
            if len(names) == 3 and is_upload_id(names[1]):
                yield status


def _folder(upload_id: str) -> str:
    return f"{_FOLDER}/{upload_id}"


def _key(upload: Upload, number: int) -> str:
    return f"{_folder(upload.upload_id)}/{number:06d}"


def _id_of(status: ObjectStatus) -> str:
    return status.key.split("/")[1]
