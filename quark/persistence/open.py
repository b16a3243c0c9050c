"""The one place that decides which store is used.

===========================  =====================================================
``QUARK_PERSISTENCE_URL``     store
===========================  =====================================================
unset                         embedded, below the storage directory
``file:PATH``                 embedded, below PATH
``sqlite:PATH``               the same
``http://…``, ``https://…``   a Quark service; ``?storage_dir=vision/2026`` chooses one
                              of the stores below the workspace
===========================  =====================================================

With ``QUARK_REQUIRE_SERVICE=1`` a missing URL is an error, as the SDK guide has it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quark import ui
from quark.errors import SessionStoreError
from quark.persistence.wire import OWN_WORKSPACE
from quark.settings import Settings
from quark.storage.layout import outbox_path, store_root

if TYPE_CHECKING:
    from quark.persistence.http_store import HttpStore
    from quark.storage.protocols import Store

#: The workspace of who names none: what the key belongs to, with a service.
LOCAL = "local"

#: What keys belong to, by URL and key.
_own_workspaces: dict[tuple[str, str | None], str] = {}


def open_store(settings: Settings) -> Store:
    """Open the store that ``settings`` name; in the mode ``disabled`` one in memory.

    Raises:
        SessionStoreError: A service is required and none is named, or the URL cannot be used.
    """
    if settings.mode == "disabled":
        from quark.storage.memory import MemoryStore  # numpy

        return MemoryStore()
    if is_service_url(settings.persistence_url):
        return _open_service(settings)
    from quark.storage.embedded import EmbeddedStore  # SQLite: when a run opens, not at import

    return EmbeddedStore(store_root(embedded_storage_dir(settings)))


def with_own_workspace(settings: Settings) -> Settings:
    """Return the settings with the workspace's name where they leave it to the user key.

    The service is asked once for each key; not in the mode ``offline``, in which runs get the name
    that they have here.

    Raises:
        SessionStoreError: The service does not answer, or refuses the key.
    """
    remote = is_service_url(settings.persistence_url) and settings.mode == "online"
    if not remote or settings.workspace != LOCAL:
        return settings
    place = (str(settings.persistence_url), settings.user_key)
    if place not in _own_workspaces:
        store = _open_service(settings)
        try:
            _own_workspaces[place] = store.own_workspace()
        finally:
            store.close()
    return replace(settings, workspace=_own_workspaces[place])


def _open_service(settings: Settings) -> HttpStore:
    from quark.persistence.http_store import HttpStore  # few runs are kept by a service
    from quark.persistence.service_client import ServiceClient

    client = ServiceClient(
        str(settings.persistence_url),
        settings.user_key,
        workspace=OWN_WORKSPACE if settings.workspace == LOCAL else settings.workspace,
        timeout_seconds=settings.persistence_timeout_seconds,
    )
    if settings.user_key is not None and not (client.url.is_encrypted or client.url.is_local):
        ui.warn_once(
            f"unencrypted {client.url.base}",
            f"the user key goes to {client.url.base} unencrypted, where others on the way can "
            "read it. Use https:// there, or a tunnel.",
        )
    root = store_root(storage_dir(settings))
    return HttpStore(client, outbox=outbox_path(root), offline=settings.mode == "offline")


def embedded_storage_dir(settings: Settings) -> Path:
    """Return the storage directory of the embedded store that ``settings`` name, absolute.

    Raises:
        SessionStoreError: ``settings`` name no embedded store.
    """
    url = settings.persistence_url
    if url is None:
        if settings.require_service:
            raise SessionStoreError(
                "QUARK_REQUIRE_SERVICE is set but QUARK_PERSISTENCE_URL is not; set it to the URL "
                "of your persistence service, or unset QUARK_REQUIRE_SERVICE to keep runs locally."
            )
        return storage_dir(settings)
    from urllib.parse import unquote, urlsplit  # heavy, and most runs have no URL

    parts = urlsplit(url)
    if parts.scheme in ("file", "sqlite"):
        path = unquote(parts.path)
        if not path:
            raise SessionStoreError(f"QUARK_PERSISTENCE_URL {url!r} has no path; use file:/PATH.")
        return Path(path).expanduser().absolute()
    raise SessionStoreError(
        f"QUARK_PERSISTENCE_URL {parts.scheme}://… cannot be opened here: it must begin with "
        "https:// or http:// for a service, or be file:/PATH. Databases are opened by services "
        "alone."
    )


def is_service_url(url: str | None) -> bool:
    """Say whether runs are kept by a service.

    >>> is_service_url("https://quark.example.com"), is_service_url("file:/srv/runs")
    (True, False)
    """
    return url is not None and url.lower().startswith(("http://", "https://"))


def storage_dir(settings: Settings) -> Path:
    """Return where journals and run folders of this process live, absolute."""
    return Path(settings.storage_dir or ".").expanduser().absolute()
