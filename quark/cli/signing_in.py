"""Asking a person for a user key, and a service whose it is."""

from __future__ import annotations

import sys
from typing import Any

import click

from quark.cli.output import Schema, object_of
from quark.errors import SessionStoreError, SettingsError

#: What a service says of a key.
IDENTITY: Schema = object_of(
    user="string",
    workspace="string",
    role="string",
    scope="string",
    key_id="string",
    service_admin="boolean",
    expires_at="string|null",
)

_MAY = {
    "read": "it reads",
    "write": "it reads and writes",
    "admin": "it reads, writes and decides about the workspace",
}


def whose_key(url: str, user_key: str | None, *, timeout_seconds: float = 15.0) -> dict[str, Any]:
    """Return what the service of ``url`` says of a key.

    Raises:
        AuthenticationError: It does not accept it.
        SessionStoreError: It cannot be reached, or is no Quark service.
    """
    from quark.persistence.service_client import ServiceClient
    from quark.persistence.wire import API_PREFIX

    client = ServiceClient(url, user_key, timeout_seconds=timeout_seconds)
    try:
        answer = client.get(f"{API_PREFIX}/me")
    finally:
        client.close()
    try:
        return {name: answer[name] for name in IDENTITY["properties"]}
    except (KeyError, TypeError) as error:
        raise SessionStoreError(
            f"{client.target} answers, but not as a Quark service does. Look whether the URL is "
            "right and what is in between."
        ) from error


def identity_pairs(identity: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what to show of a key's owner."""
    scope = str(identity["scope"])
    return [
        ("user", identity["user"]),
        ("workspace", identity["workspace"]),
        ("role", identity["role"]),
        ("scope", f"{scope}: {_MAY.get(scope, 'see docs/service.md')}"),
        ("key", f"{identity['key_id']} (its secret is not shown)"),
        ("expires", identity["expires_at"] or "never"),
        *([("rules", "the whole service")] if identity["service_admin"] else []),
    ]


def asked_key(*, from_stdin: bool) -> str:
    """Return a key that was asked for, unseen, or is the first line of stdin.

    Raises:
        SettingsError: There is none.
    """
    if from_stdin:
        key = sys.stdin.readline().strip()
    elif not sys.stdin.isatty():
        raise click.UsageError(
            "There is no terminal to ask for the user key on; give it with --key-stdin, as in "
            "`quark auth login --key-stdin < key.txt`."
        )
    else:
        key = str(click.prompt("User key (it is not shown)", hide_input=True, err=True)).strip()
    if not key:
        raise SettingsError("The user key is empty; nothing was changed.")
    return key


def name_of_service(url: str) -> str:
    """Return what to call the target of a service unless somebody calls it something.

    >>> name_of_service("https://quark.example.com/x"), name_of_service("http://127.0.0.1:8470")
    ('quark', 'service')
    """
    import re
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    label = re.sub(r"[^A-Za-z0-9_-]", "-", host.partition(".")[0]).strip("-_")
    return label if label and not label.isdigit() else "service"
