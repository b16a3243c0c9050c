"""What batches were made of, counted as they come."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from quark.analyzers.evidence import DataFacts

#: Different sample ids that are counted; beyond it new ones are not.
MAX_IDS = 1_000_000
_MOST_EXPOSED = 10
_MAX_STEPS_WITH_IDS = 20


class DataTally:
    """Counts classes, exposures and padding of a run's batches."""

    def __init__(self, max_ids: int = MAX_IDS) -> None:
        self._max_ids = max_ids
        self._classes: Counter[str] = Counter()
        self._ids: Counter[str] = Counter()
        self._epochs: set[int] = set()
        self._batches = self._samples = self._padded = self._given = self._exposures = 0
        self._ids_at: dict[int, tuple[str, ...]] = {}

    def add(self, step: int | None, body: Mapping[str, Any]) -> None:
        """Count one batch, given as the body of its record."""
        self._batches += 1
        self._samples += body.get("batch_size") or 0
        self._classes.update(body.get("class_counts") or {})
        ids = body.get("sample_ids") or ()
        if ids and (len(self._ids) < self._max_ids or self._ids.keys() >= set(ids)):
            self._ids.update(ids)
            self._exposures += len(ids)
        if (epoch := body.get("epoch")) is not None:
            self._epochs.add(epoch)
        if lengths := body.get("sequence_lengths"):
            self._padded += max(lengths) * len(lengths)
            self._given += sum(lengths)
        is_finite = math.isfinite(float(body["loss"]))
        if ids and step is not None and not is_finite and len(self._ids_at) < _MAX_STEPS_WITH_IDS:
            self._ids_at[step] = tuple(ids)

    def facts(self) -> DataFacts:
        """Return what was counted so far."""
        return DataFacts(
            batch_count=self._batches,
            sample_count=self._samples,
            class_counts=dict(self._classes),
            exposure_count=self._exposures,
            distinct_id_count=len(self._ids),
            most_exposed=tuple(self._ids.most_common(_MOST_EXPOSED)) if self._ids else (),
            epoch_count=len(self._epochs),
            padded_length=self._padded,
            given_length=self._given,
            sample_ids_at=dict(self._ids_at),
        )
