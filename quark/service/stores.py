"""Which store a workspace's runs are in, and that nobody gets out of it.

Each workspace, and each ``storage_dir`` below it, has a store of its own. In the embedded engine it
is a folder; in the others a namespace, which is the same path as text.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from quark.errors import SchemaValidationError
from quark.persistence.engines import Engines, EngineUrls
from quark.service.config import ServiceConfig
from quark.storage.protocols import DocumentStore, Store

#: Stores that are kept open, of all workspaces and of one; of the others the files are closed. Who
#: asks for ever other stores must not have those of other workspaces closed while they are used.
_MAX_OPEN = 256
_MAX_OPEN_OF_WORKSPACE = 64
_MAX_DEPTH = 8
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class StoreKey(NamedTuple):
    """A workspace, and a path below it; ``""`` is the workspace itself.

    >>> StoreKey("team", "vision/2026").namespace
    'team/vision/2026'
    """

    workspace: str
    storage_dir: str = ""

    @property
    def namespace(self) -> str:
        """Both as one path."""
        return f"{self.workspace}/{self.storage_dir}" if self.storage_dir else self.workspace


def check_storage_dir(text: str) -> str:
    """Return a path below a workspace in its one spelling.

    Raises:
        SchemaValidationError: It leads out of the workspace, or is no such path.

    >>> check_storage_dir("vision/2026/")
    'vision/2026'
    >>> check_storage_dir("../other")
    Traceback (most recent call last):
    ...
    quark.errors.SchemaValidationError: storage_dir '../other' is not valid: it must be a path \
below the workspace, of up to 8 names of letters, digits, '.', '_' and '-', none of which starts \
with '.' or '-'.
    """
    names = text.removesuffix("/").split("/") if text else []
    if len(names) > _MAX_DEPTH or not all(map(_SEGMENT.fullmatch, names)):
        raise SchemaValidationError(
            f"storage_dir {text[:200]!r} is not valid: it must be a path below the workspace, of "
            f"up to {_MAX_DEPTH} names of letters, digits, '.', '_' and '-', none of which starts "
            "with '.' or '-'."
        )
    return "/".join(names)


class Stores:
    """Opens the stores of a service when they are needed. Owns them."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self.engines = open_engines(config)
        self._lock = threading.Lock()
        self._open: OrderedDict[StoreKey, Store] = OrderedDict()
        self._control: Store | None = None

    @property
    def control(self) -> DocumentStore:
        """Where workspaces, users and keys are."""
        with self._lock:
            if self._control is None:
                self._control = self.engines.open("", self._config.root)
            return self._control.documents

    def find(self, key: StoreKey) -> Store | None:
        """Return a store if it is open. Never waits for a disk, so that an event loop may ask."""
        with self._lock:
            store = self._open.get(key)
            if store is not None:
                self._open.move_to_end(key)
            return store

    def get(self, key: StoreKey) -> Store:
        """Return the store of a workspace's ``storage_dir``; it need not hold anything yet.

        May close others, and wait for that.

        Raises:
            SchemaValidationError: ``storage_dir`` is not valid.
        """
        key = StoreKey(key.workspace, check_storage_dir(key.storage_dir))
        with self._lock:
            store = self._open.get(key)
            if store is None:
                store = self._open[key] = self.engines.open(
                    key.namespace,
                    self._folder(key),
                    retention_days=self._config.retention_days(key.workspace),
                )
            self._open.move_to_end(key)
            surplus = self._take_surplus(key.workspace)
        for old in surplus:
            old.close()
        return store

    def _take_surplus(self, workspace: str) -> list[Store]:
        own = [key for key in self._open if key.workspace == workspace]
        surplus = own[: max(0, len(own) - _MAX_OPEN_OF_WORKSPACE)]
        surplus += list(self._open)[: max(0, len(self._open) - len(surplus) - _MAX_OPEN)]
        return [self._open.pop(key) for key in dict.fromkeys(surplus)]

    @property
    def open_count(self) -> int:
        """How many are open."""
        return len(self._open)

    def opened(self) -> list[Store]:
        """Return those that are open now."""
        with self._lock:
            return list(self._open.values())

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            opened = [*self._open.values(), *([self._control] if self._control else [])]
            self._open.clear()
            self._control = None
        for store in opened:
            store.close()
        self.engines.close()

    def _folder(self, key: StoreKey) -> Path:
        check_storage_dir(key.workspace)
        return self._config.root / "workspaces" / key.workspace / "stores" / key.storage_dir


def open_engines(config: ServiceConfig) -> Engines:
    """Return the engines that a service is configured for."""
    urls = EngineUrls(db=config.db_url, points=config.points_url, blobs=config.blobs_url)
    return Engines(urls, max_open_runs=config.max_open_runs, synced=config.fsync)
