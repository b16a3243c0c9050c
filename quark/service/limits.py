"""How much one client may ask of a service."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.errors import SessionStoreError, SettingsError

KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLimits:
    """What is refused before a route sees it.

    A body must arrive within ``ServiceConfig.body_timeout_seconds`` and what its bytes take at
    ``min_body_bytes_per_second``, so a slow line may take longer for more, but not for ever. All
    bodies that are being read may have ``max_reading_bytes`` together, those of one key half of it.

    Raises:
        SettingsError: A value is not above 0.
    """

    max_headers: int = 100
    max_header_bytes: int = 32 * KIB
    header_timeout_seconds: float = 10.0
    min_body_bytes_per_second: float = 128.0 * KIB
    max_json_key_bytes: int = 4 * KIB
    max_requests_per_key: int = 2048
    max_reading_bytes: int = 256 * KIB * KIB
    failed_keys_burst: int = 20
    failed_keys_per_second: float = 0.2

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not value > 0:
                raise SettingsError(f"{item.name} is {value}, but must be more than 0.")


class SlowBodyError(SessionStoreError):
    """A request's body came too slowly."""
