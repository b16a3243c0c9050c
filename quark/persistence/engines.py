"""The engines behind a service, and the store that a namespace has on them.

A *namespace* separates tenants on engines that they share; in embedded files it is a folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quark.errors import SettingsError
from quark.storage.blobs_elsewhere import BlobsElsewhere
from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import blobs_path, store_root
from quark.storage.object_bucket import open_bucket

if TYPE_CHECKING:
    from quark.storage.clickhouse.engine import ClickHouseEngine
    from quark.storage.object_bucket import ObjectBucket
    from quark.storage.postgres import PostgresEngine
    from quark.storage.protocols import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUrls:
    """Where a service keeps records, points and payloads; None: in files below its root.

    Raises:
        SettingsError: A URL is of another engine.

    >>> EngineUrls(db="mysql://db/quark")
    Traceback (most recent call last):
    ...
    quark.errors.SettingsError: The URL of the engine for records must begin with postgresql://.
    """

    db: str | None = None
    points: str | None = None
    blobs: str | None = None

    def __post_init__(self) -> None:
        for what, url, schemes in (
            ("records", self.db, ("postgresql", "postgres")),
            ("points", self.points, ("clickhouse", "clickhouses")),
            ("payloads", self.blobs, ("s3",)),
        ):
            if url is not None and url.partition("://")[0] not in schemes:
                raise SettingsError(
                    f"The URL of the engine for {what} must begin with {schemes[0]}://."
                )


class Engines:
    """Opens stores on the engines that are configured. Owns connections that stores share.

    Making one asks no engine anything. ``synced``: what is appended to embedded files survives a
    loss of power when it is answered.
    """

    def __init__(self, urls: EngineUrls, *, max_open_runs: int = 512, synced: bool = False) -> None:
        self._max_open_runs = max_open_runs
        self._synced = synced
        self._database: PostgresEngine | None = None
        self._points: ClickHouseEngine | None = None
        self._bucket: ObjectBucket | None = None
        if urls.db is not None:
            from quark.storage.postgres import PostgresEngine  # only where it is used

            self._database = PostgresEngine(urls.db)
        if urls.points is not None:
            from quark.storage.clickhouse.engine import ClickHouseEngine  # the same

            self._points = ClickHouseEngine(urls.points)
        if urls.blobs is not None:
            self._bucket = open_bucket(urls.blobs)

    def open(self, namespace: str, folder: Path, *, retention_days: int | None = None) -> Store:
        """Open the store of a namespace whose files, if it has any, lie in ``folder``.

        ``retention_days``: how long points stay, where the engine removes them by itself.
        """
        store = self._records(namespace, store_root(folder))
        if self._points is not None and namespace:
            from quark.storage.clickhouse.points import ClickHousePoints
            from quark.storage.joined import JoinedStore

            points = ClickHousePoints(self._points, namespace, retention_days=retention_days)
            store = JoinedStore(store, points)
        if self._bucket is not None and namespace:
            store = BlobsElsewhere(store, self._bucket.below(namespace))
        return store

    def namespaces(self) -> list[str]:
        """Return the namespaces that a shared engine for records knows; none of files."""
        if self._database is None:
            return []
        rows = self._database.ask("SELECT name FROM quark.namespace ORDER BY name")
        return [str(name) for (name,) in rows]

    def check(self) -> None:
        """Ask every engine whether it answers.

        Raises:
            SessionStoreError: One does not.
        """
        for engine in (self._database, self._points, self._bucket):
            if engine is not None:
                engine.check()

    def close(self) -> None:
        """Close what stores shared."""
        for engine in (self._database, self._points):
            if engine is not None:
                engine.close()

    def _records(self, namespace: str, root: Path) -> Store:
        if self._database is None:
            return EmbeddedStore(root, max_open_runs=self._max_open_runs, synced=self._synced)
        from quark.storage.folder_blobs import FolderBlobs
        from quark.storage.postgres import PostgresStore

        return PostgresStore(self._database, namespace, blobs=FolderBlobs(blobs_path(root)))
