"""What a run has logged that is no number, found once and then followed as the run goes on."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from quark import jsonio
from quark.dashboard.payload_answer import kind_of

if TYPE_CHECKING:
    from quark.dashboard.place import Place
    from quark.storage.model import StoredRecord
    from quark.storage.protocols import Store

#: What an artifact's metadata says of the path below a run's files, and the event that says that
#: a file is none of the run's any more. The shim's words; to import it takes long.
PATH_NAME = "wandb_path"
FILE_REMOVED = "run_file_removed"
#: The folder of a run's files, in that of the run.
FILES = "files"

#: Tables that are made of others: of the tables of a folder, or of two that are joined.
PARTITIONED, JOINED = "partitioned-table", "joined-table"
COMPOSED = (PARTITIONED, JOINED)

_KINDS = ("artifact", "event", "history_value")
_MAX_RUNS = 12
_MAX_ENTRIES = 400_000

#: What a logged value is shown as, by its ``_type``.
SHOWN_AS = {
    "audio": "audio",
    "audio-file": "audio",
    "bokeh-file": "document",
    "graph-file": "document",
    "histogram": "histogram",
    "html": "html",
    "html-file": "html",
    "image-file": "image",
    "images/separated": "image",
    "incremental-table-file": "table",
    JOINED: "table",
    "lost-media": "lost",
    "molecule": "object",
    "molecule-file": "object",
    "object3D": "object",
    "object3D-file": "object",
    PARTITIONED: "table",
    "plotly-file": "document",
    "table-file": "table",
    "video-file": "video",
    "videos": "video",
}


class KeptPayload(NamedTuple):
    """A file of a run, in the blob store."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(slots=True)
class MediaKey:
    """A key under which something was logged. ``steps`` ascend, each once.

    ``payloads`` are of artifacts that were stored by themselves: by step, None among them.
    """

    key: str
    kind: str
    steps: list[int] = field(default_factory=list)
    has_unplaced: bool = False
    payloads: dict[int | None, KeptPayload] = field(default_factory=dict)

    def add(self, step: int | None) -> None:
        """Note that there is something at a step."""
        if step is None:
            self.has_unplaced = True
        elif not self.steps or step > self.steps[-1]:
            self.steps.append(step)
        else:
            place = bisect_left(self.steps, step)
            if self.steps[place] != step:
                self.steps.insert(place, step)


class RunMedia:
    """The keys and the files of one run. Threads may share it."""

    def __init__(self) -> None:
        self.keys: dict[str, MediaKey] = {}
        self.files: dict[str, KeptPayload] = {}
        self._kept_us: dict[str, int] = {}
        self._position = 0
        self._lock = threading.Lock()

    def follow(self, store: Store, run_id: str) -> None:
        """Take in what has come since the last time."""
        with self._lock:
            for part in store.records.scan(run_id, _KINDS, after=self._position):
                for record in part:
                    self._take(record)
                    self._position = record.position

    @property
    def entry_count(self) -> int:
        """About how large this is."""
        return len(self.files) + sum(len(one.steps) for one in self.keys.values())

    def _take(self, record: StoredRecord) -> None:
        if record.kind == "event":
            body = record.body if isinstance(record.body, str) else record.body.decode()
            if FILE_REMOVED in body:
                self._remove(jsonio.loads(body), record.time_us)
            return
        body = jsonio.loads(record.body)
        if record.kind == "artifact":
            self._take_artifact(body, record)
        elif isinstance(key := body.get("key"), str):
            kind = kind_of_value(body.get("value"))
            found = self.keys.setdefault(key, MediaKey(key, kind))
            found.kind = kind
            found.add(record.step)

    def _take_artifact(self, body: Mapping[str, Any], record: StoredRecord) -> None:
        named = (body.get("metadata") or {}).get(PATH_NAME)
        path = named if isinstance(named, str) else body.get("payload_relative_path")
        sha256 = body.get("sha256")
        if not path or not sha256:
            return
        kept = KeptPayload(str(path), str(sha256), int(body.get("size_bytes") or 0))
        self.files[kept.path] = kept
        self._kept_us[kept.path] = record.time_us
        if isinstance(named, str):
            return  # a row says what it is part of
        kind = "histogram" if body.get("artifact_type") == "histogram" else kind_of(kept.path)
        if kind != "file":
            key = f"{body['artifact_type']}/{body['artifact_key']}"
            found = self.keys.setdefault(key, MediaKey(key, kind))
            found.add(record.step)
            found.payloads[record.step] = kept

    def _remove(self, body: Mapping[str, Any], time_us: int) -> None:
        path = str((body.get("payload") or {}).get("path"))
        if body.get("event_type") == FILE_REMOVED and self._kept_us.get(path, time_us) < time_us:
            self.files.pop(path, None)


def kind_of_value(value: Any) -> str:
    """Return what a logged value is shown as; ``value`` if it has no files.

    >>> kind_of_value({"_type": "image-file"}), kind_of_value([{"_type": "video-file"}])
    ('image', 'video')
    >>> kind_of_value("a text"), kind_of_value({"_type": "of a later version"})
    ('value', 'value')
    """
    if isinstance(value, list) and value:
        value = value[0]
    kind = value.get("_type") if isinstance(value, Mapping) else None
    return SHOWN_AS.get(kind, "value") if isinstance(kind, str) else "value"


class _Name(NamedTuple):
    target: str
    workspace: str
    storage_dir: str
    run_id: str
    created_at: str


_lock = threading.Lock()
_known: OrderedDict[_Name, RunMedia] = OrderedDict()


def media_of(place: Place, run_id: str) -> RunMedia:
    """Return what a run has, as of now.

    Raises:
        RunNotFoundError: There is no such run.
    """
    run = place.store.records.get_run(run_id)
    name = _Name(place.store.target, place.workspace, place.storage_dir, run_id, run.created_at)
    with _lock:
        found = _known.setdefault(name, RunMedia())
        _known.move_to_end(name)
    found.follow(place.store, run_id)
    with _lock:
        size = sum(one.entry_count for one in _known.values())
        while len(_known) > 1 and (len(_known) > _MAX_RUNS or size > _MAX_ENTRIES):
            size -= _known.popitem(last=False)[1].entry_count
    return found
