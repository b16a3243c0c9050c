"""The histograms that a script has logged under one key, as one picture over the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from quark.dashboard.views.distributions import Histogram, histogram_of, picture_of
from quark.dashboard.views.media import entry_at, last_at, stored_histogram
from quark.dashboard.views.media_index import MediaKey, media_of
from quark.dashboard.views.media_items import histogram_item
from quark.errors import QuarkError
from quark.records import HistoryValueRecord
from quark.storage.model import RecordFilter

if TYPE_CHECKING:
    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place

#: Up to here all rows of a key are read at once; of more only those that are shown, one by one.
_READ_AT_ONCE = 1000


def spread(place: Place, asked: Asked) -> dict[str, Any]:
    """Return histograms as columns of a picture: which share of the values is in which bin.

    Parameters: ``key``, ``columns`` (how many steps are shown at most, 160) and ``bins`` (64).
    Steps at which something else was logged under the key are left out.

    Raises:
        ArtifactNotFoundError: Nothing was logged under ``key``.
    """
    run_id = asked["run_id"]
    entry, _ = entry_at(asked, media_of(place, run_id))
    steps = list(entry.steps)
    count = asked.integer("columns", 160, 2, 400)
    if len(steps) > count:
        places = np.unique(np.linspace(0, len(steps) - 1, count).round().astype(np.int64))
        chosen = [steps[at] for at in places.tolist()]
    else:
        chosen = steps
    found = _read(place, run_id, entry, chosen, len(steps))
    shown = [found[step] for step in chosen if step in found]
    return picture_of(shown, len(steps), asked.integer("bins", 64, 8, 200))


def _read(
    place: Place, run_id: str, entry: MediaKey, chosen: list[int], step_count: int
) -> dict[int, Histogram]:
    values: dict[int, Any] = {}
    if step_count <= _READ_AT_ONCE:
        where = RecordFilter(equals={"key": entry.key})
        for record in place.store.records.read(HistoryValueRecord, run_id, where):
            if record.step is not None:
                values[record.step] = record.value
    found: dict[int, Histogram] = {}
    for step in chosen:
        try:
            if step in entry.payloads:
                item = stored_histogram(place, entry.payloads[step])
            elif step in values:
                item = histogram_item(values[step])
            else:
                item = histogram_item(last_at(place, run_id, entry.key, step).value)
            made = histogram_of(step, item.get("bins"), item.get("counts"))
        except (QuarkError, KeyError, TypeError):
            continue  # a payload that is gone or damaged leaves a gap
        if made is not None:
            found[step] = made
    return found
