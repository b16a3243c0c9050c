"""The order in which one key's points arrived, from what their rows say.

Within a writer it is the order of its frames, whatever clocks said. Between writers it is the
number that each batch was given when it arrived; the clocks of several services may differ, so a
frame counts as arrived no earlier than the frames of its writer before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quark.storage.model import Int64Array


def by_frame(writer: Int64Array, seq: Int64Array, occurrence: Int64Array) -> Int64Array | None:
    """Return the order by writer, frame and occurrence; None if a point is there twice."""
    order = np.lexsort((occurrence, seq)) if occurrence.any() else np.argsort(seq, kind="stable")
    if len(writer) and bool((writer != writer[0]).any()):
        order = order[np.argsort(writer[order].astype(np.uint32), kind="stable")]
    same = np.ones(max(len(seq) - 1, 0), dtype=np.bool_)
    for column in (writer, seq, occurrence):
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    return None if same.any() else order


def by_arrival(writer: Int64Array, arrival: Int64Array, order: Int64Array) -> Int64Array:
    """Return the order of arrival, given that by writer and frame."""
    writer, arrival = writer[order], arrival[order].copy()
    starts = np.append(0, np.flatnonzero(writer[1:] != writer[:-1]) + 1)
    if len(starts) == 1:
        return order
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        np.maximum.accumulate(arrival[start:end], out=arrival[start:end])
    return order[np.argsort(arrival, kind="stable")]
