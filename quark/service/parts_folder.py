"""Parts of uploads in a folder: ``<folder>/<upload_id>/{upload.json,000000,000001,…}``.

A part is written beside its name and moved there, so what has a name is whole. Service processes
that share the folder share the uploads.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from quark import ids
from quark.errors import SessionStoreError
from quark.service.uploads import (
    MOST_OPEN_UPLOADS,
    PartFile,
    Upload,
    check_upload_id,
    no_such_upload,
    too_many_uploads,
)

_PIECE_BYTES = 1 << 20
_ABOUT = "upload.json"


class PartsFolder:
    """:class:`~quark.service.uploads.Parts` in one folder, which is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, upload: Upload) -> None:
        folder = self._folder / upload.upload_id
        with self._translated():
            if (folder / _ABOUT).exists():
                os.utime(folder)
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            if sum(1 for _ in os.scandir(self._folder)) >= MOST_OPEN_UPLOADS:
                raise too_many_uploads()
            folder.mkdir(exist_ok=True)
            self._write(folder / _ABOUT, [upload.to_json()])

    def find(self, upload_id: str) -> Upload:
        path = self._folder / check_upload_id(upload_id) / _ABOUT
        try:
            return Upload.from_json(path.read_bytes())
        except FileNotFoundError:
            raise no_such_upload(upload_id) from None

    def numbers(self, upload: Upload) -> list[int]:
        with self._translated(upload), os.scandir(self._folder / upload.upload_id) as entries:
            return sorted(int(entry.name) for entry in entries if entry.name.isdecimal())

    def put(self, upload: Upload, number: int, part: PartFile) -> None:
        with self._translated(upload):
            pieces = iter(lambda: part.read(_PIECE_BYTES), b"")
            self._write(self._path(upload, number), pieces)

    def read(self, upload: Upload) -> Iterator[bytes]:
        for number in range(upload.part_count):
            with self._translated(upload), self._path(upload, number).open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece

    def remove(self, upload: Upload) -> None:
        """Take the upload away under another name first: nobody adds to what is being removed."""
        doomed = self._folder / f"removed-{ids.random_id(16)}"
        with contextlib.suppress(FileNotFoundError):
            (self._folder / upload.upload_id).rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def signed_url(self, upload: Upload, number: int, seconds: float) -> str | None:
        return None

    def remove_abandoned(self, before_us: int) -> int:
        removed = 0
        with contextlib.suppress(FileNotFoundError):
            for entry in list(os.scandir(self._folder)):
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat().st_mtime_ns < before_us * 1000:
                        doomed = self._folder / f"removed-{ids.random_id(16)}"
                        Path(entry.path).rename(doomed)
                        shutil.rmtree(doomed, ignore_errors=True)
                        removed += 1
        return removed

    def _path(self, upload: Upload, number: int) -> Path:
        return self._folder / upload.upload_id / f"{number:06d}"

    @staticmethod
    def _write(path: Path, pieces: Iterator[bytes] | list[bytes]) -> None:
        incoming = path.with_name(f"{path.name}.{ids.random_id(8)}")
        try:
            with incoming.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
            incoming.replace(path)
        finally:
            incoming.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _translated(self, upload: Upload | None = None) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            if upload is None:
                raise
            raise no_such_upload(upload.upload_id) from None
        except OSError as error:
            raise SessionStoreError(
                f"Payloads cannot be taken now: {error.strerror or type(error).__name__}."
            ) from error
