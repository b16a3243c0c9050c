"""The engines behind a service, and the store that a namespace has on them.

A *namespace* separates tenants on engines that they share; in embedded files it is a folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quark.errors import SettingsError
from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import store_root

if TYPE_CHECKING:
    from quark.storage.protocols import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUrls:
    """Where a service keeps records, points and payloads; None: in files below its root."""

    db: str | None = None
    points: str | None = None
    blobs: str | None = None


class Engines:
    """Opens stores on the engines that are configured. Owns connections that stores share."""

    def __init__(self, urls: EngineUrls, *, max_open_runs: int = 512) -> None:
        self._urls = urls
        self._max_open_runs = max_open_runs
        for name, url, scheme in (
            ("db", urls.db, "postgresql"),
            ("points", urls.points, "clickhouse"),
            ("blobs", urls.blobs, "s3"),
        ):
            if url is not None and not url.startswith(f"{scheme}://"):
                raise SettingsError(f"{name} must be a URL that begins with {scheme}://.")

    def open(self, namespace: str, folder: Path) -> Store:
        """Open the store of a namespace whose files, if it has any, lie in ``folder``."""
        return EmbeddedStore(store_root(folder), max_open_runs=self._max_open_runs)

    def check(self) -> None:
        """Ask every engine whether it answers.

        Raises:
            SessionStoreError: One does not.
        """

    def close(self) -> None:
        """Close what stores shared."""
