"""An object store that tests started, and a place of its own in it for each of them."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field

from quark.storage.object_bucket import ObjectBucket, open_bucket

ACCESS_KEY, SECRET_KEY = "quark-tests-access", "quark-tests-secret"
CREDENTIALS = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
#: What a process is given that is to find the credentials by itself.
VARIABLES = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
BUCKET = "quark-tests"


@dataclass
class ObjectStoreServer:
    """A server on this machine that speaks S3 and has one bucket."""

    endpoint: str
    pid: int
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, prefix: str = "") -> str:
        """Return what a service's configuration would name."""
        return f"s3://{BUCKET}/{prefix}?endpoint={self.endpoint}&region=us-east-1"

    def bucket(self) -> ObjectBucket:
        """Return an empty place in the bucket."""
        prefix = f"test-{os.getpid()}-{next(self._numbers)}"
        return open_bucket(self.url(prefix), credentials=CREDENTIALS)
