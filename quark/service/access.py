"""Who asks, for which workspace, and what they may do there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from fastapi import Request

from quark.persistence.wire import OWN_WORKSPACE, STORAGE_DIR_HEADER
from quark.service.state import state_of
from quark.service.stores import StoreKey
from quark.storage.protocols import Store

Scope = Literal["read", "write", "admin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A request that was let through: whose it is, and the store that it may use."""

    workspace: str
    storage_dir: str
    store: Store


def needs(scope: Scope) -> Callable[..., Access]:
    """Return a dependency that lets a request through if its key has ``scope``."""

    def access(request: Request, workspace: str) -> Access:
        name = "local" if workspace == OWN_WORKSPACE else workspace
        storage_dir = unquote(request.headers.get(STORAGE_DIR_HEADER, ""))
        store = state_of(request).stores.get(StoreKey(name, storage_dir))
        return Access(workspace=name, storage_dir=storage_dir, store=store)

    return access
