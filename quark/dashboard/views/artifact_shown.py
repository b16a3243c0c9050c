"""A file of a version as it is looked at: its text, a table, or the medium that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.dashboard.payload_answer import kind_of
from quark.dashboard.views.artifact_files import chosen_entry, open_entry
from quark.dashboard.views.media_index import COMPOSED, SHOWN_AS
from quark.dashboard.views.media_items import item_of
from quark.dashboard.views.media_parts import EXTENSION, Search, VersionFiles, composed
from quark.dashboard.views.media_tables import window
from quark.errors import ArtifactNotFoundError, QuarkError, SchemaValidationError

if TYPE_CHECKING:
    from typing import BinaryIO

    from quark.catalog.manifest import Manifest, ManifestEntry
    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place
    from quark.dashboard.views.media_index import KeptPayload

#: What is larger describes no medium, but is data.
_MAX_DESCRIPTION_BYTES = 1 << 20
_PREVIEW_BYTES = 64 << 10
_COMPOSED_EXTENSIONS = tuple(f".{kind}.json" for kind in COMPOSED)


def preview(place: Place, asked: Asked) -> dict[str, Any]:
    """Return the beginning of a file as text, if it is text, and as ``item`` what it is drawn as.

    Raises:
        ArtifactNotFoundError: The version has no such file, or its payload is gone.
    """
    manifest, entry = chosen_entry(place, asked)
    if entry.sha256 is None:
        fields = {"path": entry.path, "kind": "reference", "reference": entry.ref}
        return {**fields, "text": None, "item": None}
    kind = kind_of(entry.path)
    text, is_cut = None, False
    if kind in ("file", "html"):
        with open_entry(place, entry) as file:
            start = file.read(_PREVIEW_BYTES + 1)
        is_cut = len(start) > _PREVIEW_BYTES
        text = _as_text(start[:_PREVIEW_BYTES])
        if text is not None and not is_cut and entry.path.endswith(".json"):
            text = _indented(text)
    return {
        "path": entry.path,
        "kind": kind,
        "text": text,
        "is_cut": is_cut,
        "size": entry.size_bytes,
        "sha256": entry.sha256,
        "reference": None,
        "item": _item(place, manifest, entry),
    }


def table(place: Place, asked: Asked) -> dict[str, Any]:
    """Return a window of the rows of a table in a version.

    Parameters: those of a version, ``path``, and those of :func:`media_tables.window`.

    Raises:
        ArtifactNotFoundError: The version has no such file, or its payload is gone.
        SchemaValidationError: It is no table, or too large; or a parameter is not valid.
    """
    manifest, entry = chosen_entry(place, asked)
    files = VersionFiles(manifest)
    kept = files.get(entry.path)
    if kept is None:
        raise ArtifactNotFoundError(
            f"{entry.path[:200]!r} is a reference to {str(entry.ref)[:300]!r}; the store has no "
            "copy of it."
        )

    def read(one: KeptPayload) -> BinaryIO:
        return open_entry(place, manifest.entries[one.path])

    if not entry.path.endswith(_COMPOSED_EXTENSIONS):
        return window(place, asked, [kept], files, read)
    search = Search(files, place.store.blobs.open, where="this version")
    with read(kept) as file:
        value = jsonio.loads(file.read(_MAX_DESCRIPTION_BYTES))
    return window(place, asked, composed(value, search), files, read)


def _item(place: Place, manifest: Manifest, entry: ManifestEntry) -> dict[str, Any] | None:
    """Return what a file of a version is drawn as, if it describes a medium or is a table.

    The files that it names are those of the same version.
    """
    if entry.sha256 is None or not entry.path.endswith(".json"):
        return None
    if entry.path.endswith((EXTENSION, *_COMPOSED_EXTENSIONS)):
        fields = {"path": entry.path, "sha256": entry.sha256, "size": entry.size_bytes}
        return {"kind": "table", "paths": [entry.path], **fields}
    if (entry.size_bytes or 0) > _MAX_DESCRIPTION_BYTES:
        return None
    with open_entry(place, entry) as file:
        try:
            value = jsonio.loads(file.read())
        except QuarkError:
            return None
    if not isinstance(value, Mapping) or str(value.get("_type")) not in SHOWN_AS:
        return None
    return item_of(
        value, VersionFiles(manifest), lambda one: open_entry(place, manifest.entries[one.path])
    )


def _as_text(start: bytes) -> str | None:
    """Return bytes as text; None if they are none. The last character may be cut."""
    if b"\0" in start:
        return None
    for cut in range(4):
        try:
            return start[: len(start) - cut].decode()
        except UnicodeDecodeError:
            continue
    return None


def _indented(text: str) -> str:
    try:
        return jsonio.dumps(jsonio.loads(text), indent=True).decode()
    except SchemaValidationError:
        return text
