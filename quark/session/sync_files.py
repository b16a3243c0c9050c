"""Copying the files of a run's folder into another store, with the run.

An embedded store gets the files themselves. A service gets each as a payload and a record that
says its path, as it does at the end of a run that is logged to it; what it has already, in its
latest state, is not sent again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK
from quark.records import ArtifactRecord
from quark.records.codec import encode_body
from quark.session.copying import copy_file
from quark.storage.batch import Batch, EncodedRecord

if TYPE_CHECKING:
    from quark.storage.file_copy import FileDigests
    from quark.storage.protocols import Store

#: The folder of a run's files, and in it that of media, which are payloads of records already.
FILES, _MEDIA = "files", "media"
#: What a record of a file is, and the part of its metadata that says the path.
RUN_FILE, PATH_NAME = "run_file", "wandb_path"
_WRITER = "run-files"
_AT_ONCE = 500


def copy_files(source: Store, target: Store, run_id: str) -> int:
    """Have the files of a run in ``target`` too; return how many were new or had changed.

    Raises:
        SessionStoreError: A store does not answer.
        OSError: A file cannot be read, or written.
    """
    here, there = source.run_dir(run_id), target.run_dir(run_id)
    if here is None:
        return 0
    files = list(_files(here / FILES))
    if there is not None:
        return sum(_copy_file(path, there / FILES / name) for path, name in files)
    known = _known(target, run_id)
    count = 0
    for first in range(0, len(files), _AT_ONCE):
        some = files[first : first + _AT_ONCE]
        digests = target.blobs.put_all([path for path, _ in some])
        target.blobs.sync({found.sha256 for found in digests})
        news = [
            (name, found)
            for (_, name), found in zip(some, digests, strict=True)
            if known.get(name) != found.sha256
        ]
        if news:
            _tell(target, run_id, news)
        count += len(news)
    return count


def _known(target: Store, run_id: str) -> dict[str, str]:
    """Return the SHA-256 of each file that the store knows by its path."""
    records = target.records.read(ArtifactRecord, run_id)
    paths = ((record.metadata.get(PATH_NAME), record.sha256) for record in records)
    return {path: sha256 for path, sha256 in paths if isinstance(path, str)}


def _tell(target: Store, run_id: str, news: Sequence[tuple[str, FileDigests]]) -> None:
    """Let records say which files there are. A frame that arrived although nobody heard of it is
    found by what it says, before it is sent again."""
    seq, now_us = target.position(run_id, _WRITER) + 1, SYSTEM_CLOCK.time_us()
    bodies = (
        ArtifactRecord(
            id="",
            run_id=run_id,
            timestamp="",
            artifact_type=RUN_FILE,
            artifact_key=RUN_FILE,
            artifact_name=RUN_FILE,
            payload_format="bytes",
            sha256=found.sha256,
            size_bytes=found.size_bytes,
            metadata={PATH_NAME: name},
        )
        for name, found in news
    )
    records = tuple(
        EncodedRecord(seq, ordinal, body.KIND, None, None, now_us, encode_body(body))
        for ordinal, body in enumerate(bodies)
    )
    target.append(
        Batch(run_id=run_id, writer_id=_WRITER, first_seq=seq, last_seq=seq, records=records)
    )


def _copy_file(source: Path, target: Path) -> bool:
    """Copy a file as it is now with its times; False if it is there already."""
    status = source.stat()
    if target.is_file():
        known = target.stat()
        if (known.st_size, known.st_mtime_ns) == (status.st_size, status.st_mtime_ns):
            return False
    copy_file(source, target)
    return True


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not (Path(place) == folder and name == _MEDIA)
        )
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and not name.startswith("."):
                yield path, path.relative_to(folder).as_posix()
