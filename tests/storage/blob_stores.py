"""Stores whose payloads are in an object store that tests started."""

from __future__ import annotations

from pathlib import Path

import pytest

from quark.persistence.http_store import HttpStore
from quark.storage.blobs_elsewhere import BlobsElsewhere
from quark.storage.embedded import EmbeddedStore
from tests.storage.http_stores import store_over_http
from tests.support.servers.object_store import VARIABLES, ObjectStoreServer


def store_with_objects(server: ObjectStoreServer, tmp_path: Path) -> BlobsElsewhere:
    """Return an empty store: payloads in a place of their own on ``server``, the rest in files."""
    return BlobsElsewhere(EmbeddedStore(tmp_path / ".quark"), server.bucket())


def store_over_http_with_objects(server: ObjectStoreServer) -> HttpStore:
    """Return an empty store behind a service that keeps payloads on ``server``."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in VARIABLES.items():  # which obstore reads when the service opens
            patch.setenv(name, value)
        return store_over_http(blobs_url=server.url("over-http"))
