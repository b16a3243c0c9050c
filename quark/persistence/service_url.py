"""The URL of a service, taken apart: where it is, and which of its stores is meant.

A user key has no place in it, since URLs end up in logs, journals and error messages.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from quark.errors import SessionStoreError


class ServiceUrl(NamedTuple):
    """Where a service is."""

    base: str  # what paths are put behind
    storage_dir: str | None  # the store below the key's workspace; None: the workspace's own
    is_local: bool  # on this machine
    is_encrypted: bool


def parse_service_url(url: str) -> ServiceUrl:
    """Take a service's URL apart.

    Raises:
        SessionStoreError: It names no host, or holds what it must not. The message does not show
            what that is, since it may be a key.

    >>> parse_service_url("https://quark.example.com/team/?storage_dir=vision/2026")
    ServiceUrl(base='https://quark.example.com/team', storage_dir='vision/2026', is_local=False, \
is_encrypted=True)
    >>> parse_service_url("https://quark.example.com/?key=secret")
    Traceback (most recent call last):
    ...
    quark.errors.SessionStoreError: QUARK_PERSISTENCE_URL https://quark.example.com/… cannot be \
used: it has the parameter 'key', but only storage_dir may be there; a user key goes into \
QUARK_USER_KEY.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError as error:
        raise SessionStoreError(
            f"QUARK_PERSISTENCE_URL is no URL: {error}. It must be like https://quark.example.com."
        ) from error
    scheme = parts.scheme.lower()
    named = f"[{host}]" if ":" in host else host
    place = f"{scheme}://{named}" + (f":{port}" if port else "")
    path = parts.path.rstrip("/")
    if scheme not in ("http", "https") or not host:
        raise _refusal(place, "it must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise _refusal(place, "it holds a user or password; a user key goes into QUARK_USER_KEY")
    if "qk_" in url:
        raise _refusal(place, "it holds a user key, which goes into QUARK_USER_KEY instead")
    unknown = next((name for name in query if name != "storage_dir"), None)
    if unknown is not None or parts.fragment:
        found = f"the parameter {unknown!r}" if unknown is not None else "something after '#'"
        raise _refusal(
            place,
            f"it has {found}, but only storage_dir may be there; a user key goes into "
            "QUARK_USER_KEY",
        )
    return ServiceUrl(
        base=place + path,
        storage_dir=query.get("storage_dir") or None,
        is_local=_is_local(host),
        is_encrypted=scheme == "https",
    )


def _refusal(place: str, rule: str) -> SessionStoreError:
    return SessionStoreError(f"QUARK_PERSISTENCE_URL {place}/… cannot be used: {rule}.")


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
