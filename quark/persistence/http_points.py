"""Points behind a service."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from quark.errors import SchemaValidationError
from quark.persistence.http_records import run_path, step_query
from quark.persistence.service_client import ServiceClient
from quark.persistence.wire import SERIES_TYPE
from quark.persistence.wire_series import buckets_of, decode_series, stats_of
from quark.storage.bucketing import combine, cut, no_buckets, summarise
from quark.storage.model import EVERYTHING, NO_STEP, Buckets, Columns, KeyStats, Series, StepRange

#: Keys that are asked for at once, and how much room their names may take in a request's line.
_KEYS_AT_ONCE = 40
_LINE_BYTES = 8 * 1024
#: Buckets that a service gives at once. Who wants more is given the points and counts here.
_MAX_BUCKETS = 10_000


class HttpPoints:
    """A :class:`~quark.storage.protocols.PointStore` over a service's routes.

    ``known_runs`` are those of which it is certain that they are there.
    """

    def __init__(self, http: ServiceClient, known_runs: Collection[str]) -> None:
        self._http = http
        self._known_runs = known_runs

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
        for part in _parts(names):
            found.update(self._part(path, query, part))
        return {key: replace(found[sendable(key)], key=key) for key in keys}

    def _part(self, path: str, query: list[tuple[str, Any]], names: list[str]) -> dict[str, Series]:
        """Ask for some keys; for halves of them where they are too long for one answer."""
        asked = [*query, *(("key", name) for name in names)]
        try:
            body = self._http.request("GET", path, query=asked, accept=SERIES_TYPE, patient=True)
        except SchemaValidationError:
            if len(names) < 2:
                raise
            middle = len(names) // 2
            halves = (names[:middle], names[middle:])
            return {
                key: one for half in halves for key, one in self._part(path, query, half).items()
            }
        return decode_series(body)

    def buckets(
        self, run_id: str, key: str, bucket_count: int, steps: StepRange = EVERYTHING
    ) -> Buckets:
        self._http.check_open()
        if bucket_count < 1:
            raise SchemaValidationError(f"bucket_count is {bucket_count}; it must be 1 or more.")
        if bucket_count > _MAX_BUCKETS:
            return _plain_buckets(self.series(run_id, key, steps), key, bucket_count)
        path = run_path(self._http, run_id, "buckets")
        query = [*step_query(steps), ("key", sendable(key)), ("bucket_count", bucket_count)]
        answer = self._http.get(path, query)["buckets"]
        return replace(buckets_of(answer[0]), key=key) if answer else no_buckets(key)

    def keys(self, run_id: str) -> dict[str, KeyStats]:
        self._http.check_open()
        answer = self._http.get(run_path(self._http, run_id, "keys"))
        return {plain["key"]: stats_of(plain) for plain in answer["keys"]}

    def merge(self, run_id: str, *, final: bool = False) -> None:
        """Say that the run has ended, if ``final``; when to pack is the service's business."""
        self._http.check_open()
        path = run_path(self._http, run_id)
        if final:
            self._http.request("POST", f"{path}/merge", body=b"{}")
        elif run_id not in self._known_runs:
            self._http.get(path)


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


def _parts(names: list[str]) -> Iterator[list[str]]:
    """Yield the names in groups that a request's line has room for; one group if there are none."""
    part: list[str] = []
    size_bytes = 0
    for name in names:
        # What is no ASCII letter takes up to three characters for each byte.
        needed = 3 * len(name.encode()) + 5
        if part and (len(part) == _KEYS_AT_ONCE or size_bytes + needed > _LINE_BYTES):
            yield part
            part, size_bytes = [], 0
        part.append(name)
        size_bytes += needed
    yield part


def _plain_buckets(series: Series, key: str, bucket_count: int) -> Buckets:
    has_step = series.step != NO_STEP
    step, value = series.step[has_step], series.value[has_step]
    if not len(step):
        return no_buckets(key)
    where = cut(int(step.min()), int(step.max()), bucket_count)
    order = np.arange(len(step), dtype=np.int64)
    return combine(key, where, [summarise(where, step, value, order)])
