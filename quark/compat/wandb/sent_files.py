"""The files of ``run.dir``, given to a service that keeps the run, when the run ends.

An embedded store has the folder itself. A service has what is among its payloads: each file becomes
one, and a record says its path, as for the files of media. The folder stays on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb.run_keeper import PATH_NAME
from quark.compat.wandb.run_place import FILES
from quark.errors import SchemaValidationError, SessionStoreError
from quark.records import ArtifactRecord
from quark.session.places import is_remote

if TYPE_CHECKING:
    from quark.session.handle import RunHandle

#: The type of the records of these files.
RUN_FILE = "run_file"
#: Media are kept when they are logged.
_KEPT_ALREADY = "media"


def send_files(handle: RunHandle) -> None:
    """Give the files of ``run.dir`` to the service that keeps the run; nothing without one.

    A file that cannot be read is counted as a fault and left out.
    """
    if handle.settings.mode == "disabled" or not is_remote(handle.settings):
        return
    send(handle, _files(handle.run_dir / FILES))


def send(handle: RunHandle, files: Iterable[tuple[Path, str]]) -> None:
    """Give files to the store that keeps the run, each under its path below ``run.dir``."""
    rows: list[dict[str, Any]] = []
    with handle.at_rest() as store:
        for path, name in files:
            try:
                found = store.blobs.put_file(path)
            except (OSError, SchemaValidationError, SessionStoreError) as error:
                handle.faults.record("a file of run.dir could not be sent", error, strict=False)
                continue
            rows.append(
                {
                    "artifact_type": RUN_FILE,
                    "artifact_key": RUN_FILE,
                    "artifact_name": RUN_FILE,
                    "payload_format": "bytes",
                    "sha256": found.sha256,
                    "size_bytes": found.size_bytes,
                    "metadata": {PATH_NAME: name},
                }
            )
    handle.emit_many(ArtifactRecord, rows, step=None, epoch=None, time_us=SYSTEM_CLOCK.time_us())


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for place, folders, names in os.walk(folder):
        if Path(place) == folder and _KEPT_ALREADY in folders:
            folders.remove(_KEPT_ALREADY)
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not name.startswith("."):
                yield path, path.relative_to(folder).as_posix()
