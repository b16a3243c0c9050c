"""Payloads that come in parts: what is coming, and where its parts rest until they are all here.

An upload's id follows from who sends what. So whoever begins it again, in another process or after
a service was replaced by another, finds the parts that are there and sends the rest. Parts are
believed only when all of them together have the digest that was promised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256 as new_sha256
from typing import Any, Protocol

from quark import jsonio
from quark.errors import (
    ArtifactNotFoundError,
    SchemaValidationError,
    SessionStoreError,
)
from quark.storage.object_names import is_digest

#: After so long without a new part, an upload is removed.
ABANDONED_AFTER_SECONDS = 86_400
#: Uploads that one workspace may have under way at once.
MOST_OPEN_UPLOADS = 256
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is coming. Parts count from 0; all but the last have ``part_bytes``."""

    upload_id: str
    sha256: str
    size_bytes: int
    part_bytes: int

    @property
    def part_count(self) -> int:
        return -(-self.size_bytes // self.part_bytes)

    def bytes_of(self, number: int) -> int:
        """Return how long a part is.

        Raises:
            SchemaValidationError: There is no such part.

        >>> [describe("ann", "0" * 64, 25, 10).bytes_of(number) for number in range(3)]
        [10, 10, 5]
        """
        if not 0 <= number < self.part_count:
            raise SchemaValidationError(
                f"Part {number} is none of this upload's, which has {self.part_count}, counted "
                "from 0."
            )
        return min(self.part_bytes, self.size_bytes - number * self.part_bytes)

    def to_json(self) -> bytes:
        return jsonio.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes) -> Upload:
        plain: dict[str, Any] = jsonio.loads(text)
        return cls(**plain)


class Parts(Protocol):
    """Where the parts of the uploads of one store rest."""

    def begin(self, upload: Upload) -> None:
        """Make a place for an upload, or find it.

        Raises:
            SessionStoreError: Too many are under way.
        """
        ...

    def find(self, upload_id: str) -> Upload:
        """Return an upload.

        Raises:
            ArtifactNotFoundError: It was never begun, is complete, or was removed.
        """
        ...

    def numbers(self, upload: Upload) -> list[int]:
        """Return which parts are here, in order."""
        ...

    def put(self, upload: Upload, number: int, part: PartFile) -> None:
        """Keep a part, which is whole; one that is here already is replaced."""
        ...

    def read(self, upload: Upload) -> Iterator[bytes]:
        """Yield all parts in order, in pieces."""
        ...

    def remove(self, upload: Upload) -> None:
        """Remove an upload and its parts."""
        ...

    def signed_url(self, upload: Upload, number: int, seconds: float) -> str | None:
        """Return a URL to which anybody can send the part for so long, past this service; None
        where there is no such."""
        ...

    def remove_abandoned(self, before_us: int) -> int:
        """Remove the uploads that nothing was added to since; return how many."""
        ...


class PartFile(Protocol):
    """A part that has just come and rests in a file without a name, open at its beginning."""

    def read(self, size: int = ..., /) -> bytes: ...


def describe(sender: str, sha256: str, size_bytes: int, part_bytes: int) -> Upload:
    """Return what is coming.

    Raises:
        SchemaValidationError: ``sha256`` is no digest.
    """
    if not is_digest(sha256):
        raise SchemaValidationError(
            f"{sha256[:80]!r} is no SHA-256: it must be 64 characters out of 0-9 and a-f."
        )
    identity = jsonio.dumps([sender, sha256, size_bytes, part_bytes])
    return Upload(
        upload_id=new_sha256(identity).hexdigest()[:32],
        sha256=sha256,
        size_bytes=size_bytes,
        part_bytes=part_bytes,
    )


def check_upload_id(upload_id: str) -> str:
    """Return ``upload_id`` if it can be one.

    Raises:
        ArtifactNotFoundError: It cannot.
    """
    if not is_upload_id(upload_id):
        raise no_such_upload(upload_id)
    return upload_id


def is_upload_id(text: str) -> bool:
    """Say whether this is what uploads are named by."""
    return _ID.fullmatch(text) is not None


def no_such_upload(upload_id: str) -> ArtifactNotFoundError:
    return ArtifactNotFoundError(
        f"There is no upload {upload_id[:80]!r} (any more); begin the payload's upload again."
    )


def too_many_uploads() -> SessionStoreError:
    error = SessionStoreError(
        f"{MOST_OPEN_UPLOADS} uploads of this workspace are under way, which is all that this "
        "service takes. Complete or remove some; abandoned ones are removed after a day."
    )
    error.retry_after_seconds = 30.0
    return error
