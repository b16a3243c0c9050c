"""Where a run comes from: its code, its machine, how it was started, and the files it left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.shortened import shortened
from quark.errors import SchemaValidationError

_MAX_FILE_BYTES = 4 << 20
_MAX_FILES = 1000
#: What a run's folder holds besides: the store's own.
_METADATA, _RUNTIME, _FILES = "run_metadata.json", "runtime_env.json", "files"


def about(place: Place, asked: Asked) -> dict[str, Any]:
    """Return what the run's folder says of it.

    ``has_folder`` is False where this store has nothing of what the training wrote into its folder,
    as a service has not. ``metadata`` and ``runtime`` are the files that were written before
    training began, ``files`` what lies in the folder of the run's own files.
    """
    run_id = asked["run_id"]
    place.store.records.get_run(run_id)
    folder = place.store.run_dir(run_id)
    metadata, runtime = _read(folder, _METADATA), _read(folder, _RUNTIME)
    names = [] if folder is None else list(_names(folder / _FILES))
    return {
        "has_folder": bool(metadata or runtime or names),
        "metadata": metadata,
        "runtime": runtime,
        "files": [
            {"name": name, "size_bytes": size_bytes} for name, size_bytes in names[:_MAX_FILES]
        ],
        "more_files": max(0, len(names) - _MAX_FILES),
    }


def value(place: Place, asked: Asked) -> dict[str, Any]:
    """Return one whole value of the configuration or the summary. Asked: ``part``, ``name``."""
    run = place.store.records.get_run(asked["run_id"])
    part = asked.choice("part", ("summary", "config"))
    values = run.summary if part == "summary" else run.config
    return {"value": jsonio.to_plain(values.get(asked.text("name") or ""))}


def _read(folder: Path | None, name: str) -> dict[str, Any]:
    if folder is None:
        return {}
    path = folder / name
    try:
        if path.is_symlink() or path.stat().st_size > _MAX_FILE_BYTES:
            return {}
        found = jsonio.loads(path.read_bytes())
    except (OSError, SchemaValidationError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(key): shortened(one) for key, one in found.items()}


def _names(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the paths of files below a folder and their sizes, by name; links are not followed."""
    for top, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(top) / name
            try:
                size_bytes = path.lstat().st_size
            except OSError:
                continue
            if not path.is_symlink():
                shown = path.relative_to(folder).as_posix()
                yield shown.encode("utf-8", "replace").decode(), size_bytes
