"""What a backup says of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.errors import DamagedFileError, SchemaValidationError, SessionStoreError
from quark.storage.file_copy import digest_file

FILE_NAME = "backup.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A backup's content. ``files``: every file but the payloads, with its SHA-256; a payload's is
    its name. Times are ISO 8601; what was logged between the two may be in it or not."""

    format: int
    quark_version: str
    begun_at: str
    ended_at: str
    engines: tuple[str, ...]
    files: dict[str, str]
    payload_count: int
    payload_bytes: int

    def write(self, folder: Path) -> None:
        """Write it; from now on the folder is a backup."""
        (folder / FILE_NAME).write_bytes(jsonio.dumps(asdict(self), indent=True))


def read_manifest(folder: Path) -> Manifest:
    """Read what a backup says of itself.

    Raises:
        SessionStoreError: The folder is no whole backup, or one of a newer Quark.
    """
    try:
        plain: dict[str, Any] = jsonio.loads((folder / FILE_NAME).read_bytes())
    except FileNotFoundError:
        raise SessionStoreError(
            f"{folder} is no backup, or one that was not finished: it has no {FILE_NAME}."
        ) from None
    except SchemaValidationError as error:
        raise SessionStoreError(f"{folder / FILE_NAME} cannot be read: {error}") from error
    if plain.get("format") != FORMAT:
        raise SessionStoreError(
            f"{folder} is a backup of format {plain.get('format')!r}; this Quark reads format "
            f"{FORMAT}. Install the Quark that made it ({plain.get('quark_version')})."
        )
    return Manifest(**{**plain, "engines": tuple(plain["engines"])})


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file but the payloads with what was written.

    Raises:
        DamagedFileError: One is not there, or has changed.
    """
    for name, sha256 in manifest.files.items():
        try:
            found = digest_file(folder / name).sha256
        except FileNotFoundError:
            raise DamagedFileError(
                f"{folder / name} is not there, so the backup is not whole."
            ) from None
        if found != sha256:
            raise DamagedFileError(
                f"{folder / name} has changed since it was backed up; its SHA-256 is {found}, not "
                f"{sha256}. Take another backup."
            )
