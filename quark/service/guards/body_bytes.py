"""How many bytes of bodies a process holds before it has the whole of them."""

from __future__ import annotations

from collections import Counter

from quark.errors import SessionStoreError


class BodyBytes:
    """Counts the bytes of all bodies that are being read, and refuses what is too much.

    One key may have half of it at most, so that a sender who stops in the middle of many bodies
    keeps nobody else out. For one event loop.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._total = 0
        self._of_key: Counter[str] = Counter()

    def add(self, key_id: str, size_bytes: int) -> None:
        """Count some more bytes of a body.

        Raises:
            SessionStoreError: There is no room for them; the sender may try again soon.
        """
        self._total += size_bytes
        self._of_key[key_id] += size_bytes
        if self._total > self._max_bytes or self._of_key[key_id] > self._max_bytes // 2:
            error = SessionStoreError(
                "The bodies that this service is reading are larger together than the "
                f"{self._max_bytes} bytes that it has for them, of which one key may have half."
            )
            error.retry_after_seconds = 1.0
            raise error

    def remove(self, key_id: str, size_bytes: int) -> None:
        """Forget the bytes of a body, as its request is over."""
        self._total -= size_bytes
        self._of_key[key_id] -= size_bytes
        if not self._of_key[key_id]:
            del self._of_key[key_id]
