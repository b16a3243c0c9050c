"""Stores of the contract suites that need a server: ``pytest tests/storage --stores NAME``.

What cannot be started here is skipped with the reason, and ``.ci/run`` installs all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from quark.storage.protocols import Store
from tests.storage.blob_stores import StoreWithObjects
from tests.support.servers.moto import moto
from tests.support.servers.rclone import rclone

SERVER_STORES: dict[str, Callable[[Path], Store]] = {
    "blobs-moto": lambda tmp_path: StoreWithObjects(moto().bucket()),
    "blobs-rclone": lambda tmp_path: StoreWithObjects(rclone().bucket()),
}
