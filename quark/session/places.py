"""Where this process keeps run folders and journals."""

from __future__ import annotations

from pathlib import Path

from quark.persistence.open import embedded_storage_dir, is_service_url, storage_dir
from quark.settings import Settings
from quark.storage.layout import store_root


def local_root(settings: Settings) -> Path:
    """Return the root below which this process keeps run folders and journals."""
    if not is_remote(settings):
        return store_root(embedded_storage_dir(settings))
    return store_root(storage_dir(settings))


def is_remote(settings: Settings) -> bool:
    """Say whether runs are kept by a service."""
    return is_service_url(settings.persistence_url)
