"""Points behind a service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quark.errors import SchemaValidationError
from quark.persistence.http_records import run_path, step_query
from quark.persistence.service_client import ServiceClient
from quark.persistence.wire import SERIES_TYPE
from quark.persistence.wire_series import buckets_of, decode_series, stats_of
from quark.storage.bucketing import no_buckets
from quark.storage.model import EVERYTHING, Buckets, Columns, KeyStats, Series, StepRange

#: Keys that are asked for at once; a request's line has room for so many.
_KEYS_AT_ONCE = 40


class HttpPoints:
    """A :class:`~quark.storage.protocols.PointStore` over a service's routes."""

    def __init__(self, http: ServiceClient) -> None:
        self._http = http

    def series(
        self, run_id: str, key: str, steps: StepRange = EVERYTHING, *, columns: Columns = "all"
    ) -> Series:
        return self.many_series(run_id, [key], steps, columns=columns)[key]

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
    ) -> dict[str, Series]:
        self._http.check_open()
        path = run_path(self._http, run_id, "series")
        query = [*step_query(steps), ("columns", columns)]
        names = list(dict.fromkeys(map(sendable, keys)))
        found: dict[str, Series] = {}
        for start in range(0, max(len(names), 1), _KEYS_AT_ONCE):
            part = [("key", name) for name in names[start : start + _KEYS_AT_ONCE]]
            body = self._http.request(
                "GET", path, query=[*query, *part], accept=SERIES_TYPE, patient=True
            )
            found.update(decode_series(body))
        return {key: replace(found[sendable(key)], key=key) for key in keys}

    def buckets(
        self, run_id: str, key: str, bucket_count: int, steps: StepRange = EVERYTHING
    ) -> Buckets:
        self._http.check_open()
        if bucket_count < 1:
            raise SchemaValidationError(f"bucket_count is {bucket_count}; it must be 1 or more.")
        path = run_path(self._http, run_id, "buckets")
        query = [*step_query(steps), ("key", sendable(key)), ("bucket_count", bucket_count)]
        answer = self._http.get(path, query)["buckets"]
        return buckets_of(answer[0]) if answer else no_buckets(key)

    def keys(self, run_id: str) -> dict[str, KeyStats]:
        self._http.check_open()
        answer = self._http.get(run_path(self._http, run_id, "keys"))
        return {plain["key"]: stats_of(plain) for plain in answer["keys"]}

    def merge(self, run_id: str, *, final: bool = False) -> None:
        """Say that the run has ended, if ``final``; when to pack is the service's business."""
        self._http.check_open()
        if final:
            self._http.request("POST", run_path(self._http, run_id, "merge"), body=b"{}")


def sendable(key: str) -> str:
    """Return a key as it can be sent; what is no UTF-8 is as little a key as the empty one.

    >>> sendable("train/loss"), sendable("\\ud800")
    ('train/loss', '')
    """
    try:
        key.encode()
    except UnicodeEncodeError:
        return ""
    return key
