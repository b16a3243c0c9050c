"""Values that are not finite, found in what is being shipped before anybody has judged it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quark.storage.batch import Batch

#: A count in the metadata of a layer or parameter summary, or an event that tells of such a value.
_IN_SUMMARY = re.compile(rb'nonfinite_count":\s*[1-9]')
_IN_EVENT = re.compile(rb'"event_type":\s*"non_finite_')
_SUMMARIES = ("layer_summary", "parameter_summary")


def is_bad(kind: str, body: bytes) -> bool:
    """Say whether a record tells of a value that is not finite, without decoding it."""
    if kind in _SUMMARIES:
        return _IN_SUMMARY.search(body) is not None
    return kind == "event" and _IN_EVENT.search(body) is not None


def bad_sources(batch: Batch) -> set[str]:
    """Return the metrics that are not finite somewhere in ``batch``, and the kinds of records that
    tell of such values."""
    found = {one.kind for one in batch.records if is_bad(one.kind, one.body)}
    if batch.blocks:
        import numpy as np  # loaded already: blocks are made of it

        for block in batch.blocks:
            finite = np.isfinite(block.values)
            if not finite.all():
                bad = np.flatnonzero(~np.asarray(finite.all(axis=0)))
                found.update(block.keys[place] for place in bad.tolist())
    return found
