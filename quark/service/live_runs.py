"""What has changed among the runs of a workspace, for a page that shows some of them.

The cursor holds a mark of every run that was shown, so that nothing has to be kept for a reader,
and any store will do.
"""

from __future__ import annotations

import math
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.errors import RunNotFoundError
from quark.records import TERMINAL_STATUSES
from quark.records.codec import encode_body
from quark.service.live_cursor import not_a_cursor, pack_text, unpack_text
from quark.storage.model import StepRange

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.model import RunQuery
    from quark.storage.protocols import Store

_MARK_BYTES = 9
_MARK_CHARACTERS = 12
_LAST = StepRange(limit=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChanges:
    """What one answer says: the ids of all that are on the page now, and those that changed."""

    cursor: str
    run_ids: tuple[str, ...]
    changed: tuple[dict[str, Any], ...]
    is_empty: bool

    def to_plain(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {"cursor": self.cursor, "run_ids": self.run_ids, "changed": self.changed}


def read_list_changes(
    store: Store, query: RunQuery, keys: Sequence[str], after: str | None
) -> ListChanges:
    """Return which of the runs that ``query`` asks for have changed since a cursor was given.

    ``keys``: metrics whose last values are told, and count as a change while a run is running.

    Raises:
        SchemaValidationError: ``after`` is no cursor of this list.
    """
    known = set() if after is None else _marks(after)
    runs = store.records.list_runs(query)
    marks, changed = [], []
    for run in runs:
        mark = _mark(encode_body(run), run.id)
        is_over = run.status in TERMINAL_STATUSES
        # A run that is over is not looked into again until its row changes.
        last = {} if is_over and mark in known else _last_values(store, run, keys)
        if not is_over:
            mark = _mark(encode_body(run), run.id, jsonio.dumps(last))
        marks.append(mark)
        if mark not in known:
            changed.append({"run": run.to_dict(), "last": last})
    is_same = after is not None and known == set(marks)
    return ListChanges(
        cursor=pack_text(["".join(marks)]),
        run_ids=tuple(run.id for run in runs),
        changed=tuple(changed),
        is_empty=is_same and not changed,
    )


def _last_values(store: Store, run: RunRecord, keys: Sequence[str]) -> dict[str, Any]:
    """Return of each key the last point that arrived; keys that the run has not are left out."""
    if not keys:
        return {}
    try:
        found = store.points.many_series(run.id, keys, _LAST)
    except RunNotFoundError:  # deleted meanwhile
        return {}
    last = {}
    for key, series in found.items():
        if len(series):
            step = int(series.step[-1])
            value = float(series.value[-1])
            last[key] = {
                "value": value if math.isfinite(value) else jsonio.float_to_json(value),
                "step": None if step == -(2**63) else step,
                "time_us": int(series.time_us[-1]),
            }
    return last


def _mark(*content: bytes | str) -> str:
    hashed = blake2b(digest_size=_MARK_BYTES)
    for part in content:
        hashed.update(part.encode() if isinstance(part, str) else part)
        hashed.update(b"\0")
    return urlsafe_b64encode(hashed.digest()).decode()


def _marks(text: str) -> set[str]:
    plain = unpack_text(text)
    if len(plain) != 1 or not isinstance(plain[0], str) or len(plain[0]) % _MARK_CHARACTERS:
        raise not_a_cursor(text)
    marks = plain[0]
    return {
        marks[start : start + _MARK_CHARACTERS] for start in range(0, len(marks), _MARK_CHARACTERS)
    }
