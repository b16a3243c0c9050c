"""The media of a run: which there are, one of them at a step, and their files."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.dashboard.payload_answer import PayloadAnswer
from quark.dashboard.views.media_index import FILES, KeptPayload, MediaKey, RunMedia, media_of
from quark.dashboard.views.media_items import items_of
from quark.dashboard.views.media_parts import composed_item, is_composed
from quark.dashboard.views.plots_named import plots_of, shown_plot
from quark.errors import ArtifactNotFoundError
from quark.records import HistoryValueRecord
from quark.storage.model import RecordFilter, StepRange

if TYPE_CHECKING:
    from typing import BinaryIO

    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place

#: How many places a slider has at most; steps between them are left out.
_MAX_STEPS = 5000


def media(place: Place, asked: Asked) -> dict[str, Any]:
    """Return every key with what it is shown as and its steps, by first arrival.

    A table that a chart is drawn from says in ``plot`` which.
    """
    found = media_of(place, asked["run_id"])
    plots = plots_of(place.store.records.get_run(asked["run_id"]).config)
    keys = []
    for one in list(found.keys.values()):
        drawn = plots.get(one.key) if one.kind == "table" else None
        keys.append(
            {
                "key": one.key,
                "kind": "plot" if drawn is not None and drawn.kind != "none" else one.kind,
                "count": len(one.steps) + one.has_unplaced,
                "steps": _thinned(one.steps),
                "plot": None if drawn is None else shown_plot(drawn),
            }
        )
    return {"keys": keys}


def value(place: Place, asked: Asked) -> dict[str, Any]:
    """Return what was logged under ``key`` last, at ``step`` or before it if one is given.

    Raises:
        ArtifactNotFoundError: Nothing was.
    """
    run_id = asked["run_id"]
    found = media_of(place, run_id)
    entry, step = entry_at(asked, found)
    if step in entry.payloads:
        kept = entry.payloads[step]
        items = _native(place, kept, entry)
        return {"key": entry.key, "step": step, "time": None, "items": items}
    last = last_at(place, run_id, entry.key, step)
    if is_composed(last.value):
        items = [composed_item(place, run_id, found.files, entry.key, step, last.value)]
    else:
        items = items_of(last.value, found.files, FileReader(place, run_id))
    return {"key": entry.key, "step": step, "time": last.timestamp, "items": items}


def entry_at(asked: Asked, found: RunMedia) -> tuple[MediaKey, int | None]:
    """Return what ``key`` names, and the last step up to ``step`` at which there is something.

    Raises:
        ArtifactNotFoundError: Nothing was logged under it.
    """
    key = asked.text("key") or ""
    entry = found.keys.get(key)
    if entry is None:
        raise ArtifactNotFoundError(
            f"The run {asked['run_id']} has logged nothing under {key[:200]!r}."
        )
    return entry, _step_at(entry, asked.number("step"))


def logged_at(place: Place, asked: Asked, found: RunMedia) -> Any:
    """Return the value that was logged under ``key`` at ``step``, or at the last one before.

    Raises:
        ArtifactNotFoundError: Nothing was.
    """
    entry, step = entry_at(asked, found)
    return last_at(place, asked["run_id"], entry.key, step).value


def last_at(place: Place, run_id: str, key: str, step: int | None) -> HistoryValueRecord:
    """Return what was logged last under a key at a step; None is what has no step.

    Raises:
        ArtifactNotFoundError: Nothing was.
    """
    where = RecordFilter(equals={"key": key}, steps=StepRange(step=step))
    records = place.store.records.read(HistoryValueRecord, run_id, where)
    if step is None:
        records = tuple(record for record in records if record.step is None)
    if not records:
        raise ArtifactNotFoundError(f"{key[:200]!r} has nothing at step {step}.")
    return records[-1]


def file(place: Place, asked: Asked) -> PayloadAnswer:
    """Return a file that belongs to the run: ``path`` is one that a view has named.

    Parameters: ``as`` (shown, saved or page), ``sha256`` (which makes the answer keepable).

    Raises:
        ArtifactNotFoundError: The run has no such file.
    """
    path = asked.text("path") or ""
    kept = kept_file(media_of(place, asked["run_id"]), asked["run_id"], path)
    return PayloadAnswer(
        FileReader(place, asked["run_id"])(kept),
        name=kept.path,
        sha256=kept.sha256,
        sent_as=asked.choice("as", ("shown", "saved", "page")),
        is_fixed=asked.text("sha256") == kept.sha256,
    )


def kept_file(found: RunMedia, run_id: str, path: str) -> KeptPayload:
    """Return what the store has of a file. Only what is on a run's list is ever looked for.

    Raises:
        ArtifactNotFoundError: The run has no such file.
    """
    kept = found.files.get(path)
    if kept is None:
        raise ArtifactNotFoundError(f"The run {run_id} has no file {path[:200]!r}.")
    return kept


class FileReader:
    """Opens files of a run: from the blobs, or where those are not, from the run's folder."""

    def __init__(self, place: Place, run_id: str) -> None:
        self._store = place.store
        self._run_id = run_id

    def __call__(self, kept: KeptPayload) -> BinaryIO:
        """Open a file.

        Raises:
            ArtifactNotFoundError: It is gone.
        """
        try:
            return self._store.blobs.open(kept.sha256)
        except KeyError:
            pass
        run_dir = self._store.run_dir(self._run_id)
        if run_dir is not None:
            folder = (run_dir / FILES).resolve()
            path = (folder / kept.path).resolve()
            if folder in path.parents and path.is_file():
                return path.open("rb")
        raise ArtifactNotFoundError(
            f"The file {kept.path[:200]!r} is not in the store any more: its payload "
            f"{kept.sha256[:12]} was removed, or the run was copied without it."
        )


def _native(place: Place, kept: KeptPayload, entry: MediaKey) -> list[dict[str, Any]]:
    """Return what an artifact that was stored by itself is shown as."""
    fields = {"path": kept.path, "sha256": kept.sha256, "size": kept.size_bytes}
    if entry.kind != "histogram":
        return [{"kind": entry.kind, **fields}]
    return [{"kind": "histogram", **stored_histogram(place, kept)}]


def stored_histogram(place: Place, kept: KeptPayload) -> dict[str, Any]:
    """Return the bins and counts of a histogram that was stored by itself."""
    with FileReader(place, "")(kept) as opened:
        body = jsonio.loads(opened.read())
    return {"bins": body["bins"], "counts": body["counts"]}


def _step_at(entry: MediaKey, wanted: float | None) -> int | None:
    if not entry.steps:
        return None
    if wanted is None:
        return entry.steps[-1]
    return entry.steps[max(0, bisect_right(entry.steps, wanted) - 1)]


def _thinned(steps: list[int]) -> list[int]:
    steps = list(steps)
    if len(steps) <= _MAX_STEPS:
        return steps
    last = len(steps) - 1
    return [steps[place * last // (_MAX_STEPS - 1)] for place in range(_MAX_STEPS)]
