"""A store as the dashboard's pages read it: long series are read in a process of their own.

Pages look at a series as a few hundred buckets, or work something out of all of its points; for
either all of it is unpacked. What answers the trainings must not share an interpreter with that;
see :mod:`quark.service.reading`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from quark import jsonio
from quark.persistence.wire_series import buckets_of, decode_series
from quark.service.ingest import RunPlace
from quark.service.reading import PointsAsked
from quark.storage.model import EVERYTHING, Buckets, Columns, Series, StepRange
from quark.storage.passing import PassingPoints, PassingStore

if TYPE_CHECKING:
    from quark.service.reading import Reading
    from quark.service.stores import StoreKey
    from quark.storage.protocols import PointStore, Store


class PageStore(PassingStore):
    """A :class:`~quark.storage.protocols.Store` over another one, which it does not own."""

    def __init__(self, store: Store, key: StoreKey, reading: Reading) -> None:
        super().__init__(store)
        self._points = _PagePoints(store, key, reading)

    @property
    def points(self) -> PointStore:
        return self._points

    def close(self) -> None:
        """Do nothing: the service closes its stores."""


class _PagePoints(PassingPoints):
    def __init__(self, store: Store, key: StoreKey, reading: Reading) -> None:
        super().__init__(store)
        self._key = key
        self._reading = reading

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
    ) -> dict[str, Series]:
        body = self._elsewhere(
            PointsAsked(
                run_id=run_id, keys=list(keys), steps=steps, columns=columns, is_packed=True
            )
        )
        if body is None:
            return super().many_series(run_id, keys, steps, columns=columns)
        return decode_series(body)

    def buckets(
        self, run_id: str, key: str, bucket_count: int, steps: StepRange = EVERYTHING
    ) -> Buckets:
        body = self._elsewhere(
            PointsAsked(run_id=run_id, keys=[key], steps=steps, bucket_count=bucket_count)
        )
        if body is None:
            return super().buckets(run_id, key, bucket_count, steps)
        (plain,) = jsonio.loads(body)["buckets"]
        return replace(buckets_of(plain), key=key)

    def _elsewhere(self, asked: PointsAsked) -> bytes | None:
        """Return what a process of its own answers; None if it is better read here."""
        place = RunPlace(self._key.workspace, self._key.storage_dir, asked.run_id)
        return self._reading.read_elsewhere(place, self._store, asked)
