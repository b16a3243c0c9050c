"""The files of a version: a folder at a time, and one to save."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from quark.catalog.manifest import Manifest, ManifestEntry
from quark.catalog.reading import read_manifest
from quark.dashboard.asked import Asked
from quark.dashboard.payload_answer import PayloadAnswer, kind_of
from quark.dashboard.views.artifacts import chosen_version
from quark.errors import ArtifactNotFoundError

if TYPE_CHECKING:
    from typing import BinaryIO

    from quark.catalog.model import Version
    from quark.dashboard.place import Place

_MAX_ROWS = 1000
_MAX_CHANGED = 200
_MAX_KEPT_ENTRIES = 300_000


def files(place: Place, asked: Asked) -> dict[str, Any]:
    """Return what is in a folder of a version: folders with their sums, then files, by name.

    Parameters: those of a version, ``folder`` (``a/b``), ``offset``, and ``search``, which looks
    for files in all of the version.
    """
    found = chosen_version(place, asked)
    entries = manifest_of(place, found).entries
    search = (asked.text("search") or "").casefold()
    folder = (asked.text("folder") or "").strip("/")
    prefix = f"{folder}/" if folder else ""
    folders: dict[str, list[int]] = {}
    rows: list[dict[str, Any]] = []
    for path, entry in sorted(entries.items()):
        if search:
            if search in path.casefold():
                rows.append(_row(path, path, entry))
        elif path.startswith(prefix):
            name, slash, _ = path[len(prefix) :].partition("/")
            if slash:
                sums = folders.setdefault(name, [0, 0])
                sums[0] += 1
                sums[1] += entry.size_bytes or 0
            else:
                rows.append(_row(name, path, entry))
    inside = [
        {
            "name": name,
            "path": prefix + name,
            "kind": "folder",
            "file_count": sums[0],
            "size": sums[1],
        }
        for name, sums in folders.items()
    ]
    every = inside + rows
    offset = asked.integer("offset", 0, 0, 10**9)
    return {"folder": folder, "total": len(every), "rows": every[offset : offset + _MAX_ROWS]}


def changes(place: Place, asked: Asked) -> dict[str, Any]:
    """Return what is new, gone or other in a version, held against ``against`` (such as ``v0``)."""
    found = chosen_version(place, asked)
    against = _other(place, asked)
    ours, theirs = (manifest_of(place, one).entries for one in (found, against))
    added = sorted(ours.keys() - theirs.keys())
    removed = sorted(theirs.keys() - ours.keys())
    changed = sorted(
        path for path in ours.keys() & theirs.keys() if ours[path].digest != theirs[path].digest
    )
    return {
        "against": f"v{against.index}",
        "added": [{"path": path, "size": ours[path].size_bytes} for path in added[:_MAX_CHANGED]],
        "removed": [
            {"path": path, "size": theirs[path].size_bytes} for path in removed[:_MAX_CHANGED]
        ],
        "changed": [
            {"path": path, "size": ours[path].size_bytes, "before": theirs[path].size_bytes}
            for path in changed[:_MAX_CHANGED]
        ],
        "counts": {"added": len(added), "removed": len(removed), "changed": len(changed)},
        "same": len(ours) - len(added) - len(changed),
    }


def file(place: Place, asked: Asked) -> PayloadAnswer:
    """Return a file of a version. Parameters: those of a version, ``path``, ``as``, ``sha256``.

    Raises:
        ArtifactNotFoundError: The version has no such file, or its payload is gone.
    """
    _, entry = chosen_entry(place, asked)
    if entry.sha256 is None:
        raise ArtifactNotFoundError(
            f"{entry.path[:200]!r} is a reference to {str(entry.ref)[:300]!r}; the store has no "
            "copy of it."
        )
    return PayloadAnswer(
        open_entry(place, entry),
        name=entry.path,
        sha256=entry.sha256,
        sent_as=asked.choice("as", ("saved", "shown", "page")),
        is_fixed=asked.text("sha256") == entry.sha256,
    )


def _row(name: str, path: str, entry: ManifestEntry) -> dict[str, Any]:
    return {
        "name": name,
        "path": path,
        "kind": "reference" if entry.sha256 is None else kind_of(path),
        "size": entry.size_bytes,
        "sha256": entry.sha256,
        "reference": entry.ref,
        "digest": entry.digest,
    }


def chosen_entry(place: Place, asked: Asked) -> tuple[Manifest, ManifestEntry]:
    """Return what is in a version, and the file of it that ``path`` names.

    Raises:
        ArtifactNotFoundError: The version has no such file.
    """
    found = chosen_version(place, asked)
    manifest = manifest_of(place, found)
    path = asked.text("path") or ""
    entry = manifest.entries.get(path)
    if entry is None:
        raise ArtifactNotFoundError(f"{found.name} has no file {path[:200]!r}.")
    return manifest, entry


def _other(place: Place, asked: Asked) -> Version:
    names = ("name", "project", "workspace")
    words = [(name, text) for name in names if (text := asked.text(name))]
    return chosen_version(place, Asked({}, [*words, ("version", asked.text("against") or "")]))


def open_entry(place: Place, entry: ManifestEntry) -> BinaryIO:
    """Open a file of a version.

    Raises:
        ArtifactNotFoundError: Its payload is gone.
    """
    try:
        return place.store.blobs.open(entry.sha256 or "")
    except KeyError:
        raise ArtifactNotFoundError(
            f"The payload {str(entry.sha256)[:12]} of {entry.path[:200]!r} is not in the store any "
            "more: it was removed by hand, or the store was copied without it."
        ) from None


# -- manifests that were read lately ---------------------------------------------------------------

_lock = threading.Lock()
#: By the store and the digest: who knows a digest has not the payload of another store.
_manifests: OrderedDict[tuple[str, str], Manifest] = OrderedDict()


def manifest_of(place: Place, version: Version) -> Manifest:
    """Return what is in a version."""
    kept = (place.store.target, version.manifest_sha256)
    with _lock:
        known = _manifests.get(kept)
        if known is not None:
            _manifests.move_to_end(kept)
            return known
    read = read_manifest(place.store, version)
    with _lock:
        _manifests[kept] = read
        while len(_manifests) > 1 and _entry_count() > _MAX_KEPT_ENTRIES:
            _manifests.popitem(last=False)
    return read


def _entry_count() -> int:
    return sum(len(one.entries) for one in _manifests.values())
