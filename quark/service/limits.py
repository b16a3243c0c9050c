"""How much one client may ask of a service."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from quark.errors import SessionStoreError, SettingsError

KIB = 1024


def setting(default: Any, doc: str) -> Any:
    """A field that a service can be told, with what ``quark serve --help`` says of it."""
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLimits:
    """What is refused before a route sees it.

    A body must arrive within ``ServiceConfig.body_timeout_seconds`` and what its bytes take at
    ``min_body_bytes_per_second``, so a slow line may take longer for more, but not for ever. All
    bodies that are being read may have ``max_reading_bytes`` together, those of one key half of it.
    JSON is checked by the thread that all requests share, so it may have only ``max_json_bytes``;
    documents are let through as they are.

    Raises:
        SettingsError: A value is not above 0.
    """

    max_headers: int = setting(100, "How many headers a request may have.")
    max_header_bytes: int = setting(32 * KIB, "How many bytes these may have together.")
    header_timeout_seconds: float = setting(10.0, "How long a request's headers may take.")
    min_body_bytes_per_second: float = setting(
        128.0 * KIB, "A body that comes more slowly than this may not take longer for its size."
    )
    max_json_key_bytes: int = setting(4 * KIB, "The longest key in a body of JSON.")
    max_json_bytes: int = setting(
        4 * KIB * KIB, "The largest body of JSON; documents and batches have their own."
    )
    max_requests_per_key: int = setting(
        2048,
        "How many requests of one user key may be under way in a worker before others are put off.",
    )
    max_reading_bytes: int = setting(
        256 * KIB * KIB,
        "How many bytes of bodies may be read at once; those of one key half of it.",
    )
    failed_keys_burst: int = setting(
        20, "How many wrong user keys an address may send before it has to wait."
    )
    failed_keys_per_second: float = setting(
        0.2, "How many more it may send, in the long run, each second."
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not value > 0:
                raise SettingsError(f"{item.name} is {value}, but must be more than 0.")


class SlowBodyError(SessionStoreError):
    """A request's body came too slowly."""
